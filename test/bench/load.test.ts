/** The generator against a server that loses, repeats and reorders on purpose: what it reports must be what was done. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseFlow } from '../../src/bench/flow.ts';
import { type LoadOptions, runLoad } from '../../src/bench/load.ts';
import { plainTarget } from '../../src/bench/target.ts';

let server: Server | undefined;
const sockets = new Set<Socket>();
let subscriberSocket: Socket | undefined;

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
  server = undefined;
});

/** What the server sends on of the messages that one chunk brought. */
type Fault = (messages: Buffer[]) => Buffer[];

const connack = Buffer.of(0x20, 2, 0, 0);

/** A server for one publisher and one subscriber at QoS 0, with packets of less than 128 bytes. */
async function startServer(fault: Fault, suback = 0, answer = connack): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      const messages = [];
      while (rest.length >= 2 && rest.length >= 2 + rest[1]!) {
        const packet = rest.subarray(0, 2 + rest[1]!);
        rest = rest.subarray(packet.length);
        if (packet[0] === 0x10) socket.write(answer);
        if (packet[0] === 0x30) messages.push(packet);
        if (packet[0] === 0x82) {
          subscriberSocket = socket;
          socket.write(Buffer.of(0x90, 3, 0, 1, suback));
        }
      }
      if (messages.length === 0) return;
      const passedOn = Buffer.concat(fault(messages));
      if (passedOn.length > 0) subscriberSocket?.write(passedOn);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function optionsFor(port: number): LoadOptions {
  return {
    target: plainTarget('127.0.0.1', port, '3.1.1'),
    prefix: 'bench',
    clientPrefix: 'bench',
    isRetained: false,
    receiveMaximum: undefined,
    rate: undefined,
    flow: parseFlow('1-1'),
    qos: 0,
    isDurable: false,
    topics: 1,
    payloadBytes: 64,
    warmUpSeconds: 0,
    seconds: 0.2,
    publishWindow: 20,
    deliveryWindow: 1000,
    brokerProcessId: undefined,
    cores: undefined,
  };
}

describe('runLoad', () => {
  it('reports nothing where nothing is wrong', async () => {
    const { total, deliveryWindow } = await runLoad(optionsFor(await startServer((messages) => messages)));
    expect(total.published).toBeGreaterThan(0);
    expect(total).toMatchObject({ received: total.published, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
    expect(deliveryWindow).toBe(1000);
  });

  it('reports exactly the messages that were lost, and allows fewer under way from then on', async () => {
    let dropped = 0;
    const port = await startServer((messages) => {
      const kept = messages.filter((_, index) => index % 10 !== 3);
      dropped += messages.length - kept.length;
      return kept;
    });
    const { total, deliveryWindow } = await runLoad(optionsFor(port));
    expect(dropped).toBeGreaterThan(0);
    expect(total).toMatchObject({ lost: dropped, received: total.published - dropped, duplicates: 0, outOfOrder: 0 });
    expect(deliveryWindow).toBeLessThan(1000);
  });

  it('goes on after everything under way was lost', async () => {
    const deliveryWindow = 100;
    let dropped = 0;
    const port = await startServer((messages) => {
      const lost = Math.min(messages.length, deliveryWindow - dropped);
      dropped += lost;
      return messages.slice(lost);
    });
    const { total } = await runLoad({ ...optionsFor(port), deliveryWindow, seconds: 1.5 });
    expect(dropped).toBe(deliveryWindow);
    expect(total.lost).toBe(dropped);
    expect(total.received).toBe(total.published - dropped);
    expect(total.received).toBeGreaterThan(0);
  });

  it('reports exactly the messages that were repeated', async () => {
    let repeated = 0;
    const port = await startServer((messages) => {
      repeated++;
      return [...messages, messages[0]!];
    });
    const { total } = await runLoad(optionsFor(port));
    expect(total).toMatchObject({
      lost: 0,
      late: 0,
      duplicates: repeated,
      received: total.published + repeated,
      outOfOrder: 0,
    });
  });

  it('reports exactly the messages that a later one has overtaken', async () => {
    let overtaken = 0;
    const port = await startServer((messages) => {
      overtaken += messages.length - 1;
      return [messages.at(-1)!, ...messages.slice(0, -1)];
    });
    const { total } = await runLoad(optionsFor(port));
    expect(overtaken).toBeGreaterThan(0);
    expect(total).toMatchObject({ lost: 0, late: 0, duplicates: 0, outOfOrder: overtaken, received: total.published });
  });

  it('waits for what a broker still sends, however long the next message takes', async () => {
    let held = Buffer.alloc(0);
    let sentBytes = 0;
    let timer: NodeJS.Timeout | undefined;
    const port = await startServer((messages) => {
      held = Buffer.concat([held, ...messages]);
      // A byte at a time: for some four seconds no message is whole. Publishing ends long before that.
      timer ??= setInterval(() => {
        const isOver = ++sentBytes === 78;
        subscriberSocket?.write(isOver ? held.subarray(sentBytes - 1) : held.subarray(sentBytes - 1, sentBytes));
        if (isOver) clearInterval(timer);
      }, 50);
      return [];
    });
    try {
      const { total } = await runLoad({ ...optionsFor(port), deliveryWindow: 5 });
      expect(total.published).toBeGreaterThanOrEqual(5);
      expect(total).toMatchObject({ received: total.published, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
    } finally {
      clearInterval(timer);
    }
  });

  it('goes on when a connection that was full takes bytes again', async () => {
    let heldBack: (() => void)[] = [];
    const port = await startServer((messages) => messages);
    const publisherSocket = () => [...sockets].find((socket) => socket !== subscriberSocket);
    // Reads nothing for a while, again and again, so that the publisher's socket is full for a while.
    const timer = setInterval(() => {
      const socket = publisherSocket();
      if (heldBack.length > 0) {
        for (const resume of heldBack) resume();
        heldBack = [];
      } else if (socket !== undefined) {
        socket.pause();
        heldBack.push(() => socket.resume());
      }
    }, 20);
    try {
      const { total } = await runLoad({ ...optionsFor(port), deliveryWindow: 1_000_000, seconds: 0.5 });
      expect(total.published).toBeGreaterThan(10_000);
      expect(total).toMatchObject({ received: total.published, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
    } finally {
      clearInterval(timer);
      for (const resume of heldBack) resume();
    }
  });

  it('fails on a payload that was changed on the way', async () => {
    const port = await startServer((messages) => {
      // The mark at the beginning of the payload, which begins after the topic `bench/0000`.
      messages[0]!.writeUInt8(0, 2 + 2 + 10);
      return messages;
    });
    await expect(runLoad(optionsFor(port))).rejects.toThrow('changed on the way');
  });

  it('fails on a message with flags that it was not sent with', async () => {
    const port = await startServer((messages) => {
      messages[0]!.writeUInt8(0x31, 0);
      return messages;
    });
    await expect(runLoad(optionsFor(port))).rejects.toThrow('did not expect a PUBLISH of 78 bytes with flags 1');
  });

  it('fails on a refused connection and on a refused subscription', async () => {
    const refused = await startServer((messages) => messages, 0, Buffer.of(0x20, 2, 0, 5));
    await expect(runLoad(optionsFor(refused))).rejects.toThrow('refuses the connection with code 0x05');
    server?.close();
    const unsubscribed = await startServer((messages) => messages, 0x80);
    await expect(runLoad(optionsFor(unsubscribed))).rejects.toThrow('a subscription at QoS 0 with code 0x80');
  });

  it('fails when the connection is closed under load', async () => {
    const port = await startServer((messages) => {
      for (const socket of sockets) socket.destroy();
      return messages;
    });
    await expect(runLoad(optionsFor(port))).rejects.toThrow(/bench-(pub|sub)-0: /);
  });
});
