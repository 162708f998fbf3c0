/** Connections that Node's own TLS makes, recorded on their way. */

import { constants, createPrivateKey, privateDecrypt } from 'node:crypto';
import { getCiphers } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../transport/certificate.ts';
import { CapitalServer, makeRsaCertificate, type Spoken } from './node-tls.ts';
import { decrypt, decryptionWith, KeyLogText, type Recording } from './recording.ts';

/** Of openssl/ssl.h, which node:crypto does not name. */
const noExtendedMasterSecret = 1;
const { SSL_OP_NO_ENCRYPT_THEN_MAC: noEncryptThenMac, SSL_OP_NO_TICKET: noTicket } = constants;

const certificate = makeCertificate();
const rsa = makeRsaCertificate();
/** Of both kinds, and whatever the client asks for. */
const common = {
  cert: [certificate.cert, rsa.cert],
  key: [certificate.key, rsa.key],
  ciphers: 'ALL:@SECLEVEL=0',
  dhparam: 'auto',
} as const;
const lines = [
  'hello\n',
  'a longer line, so that there is more than a block of sixteen bytes\n',
  'z'.repeat(20_000),
  'bye\n',
];

const servers: CapitalServer[] = [];
async function open(options: object): Promise<CapitalServer> {
  const server = await CapitalServer.open({ ...common, ...options } as never);
  servers.push(server);
  return server;
}
afterAll(() => {
  for (const server of servers) server.close();
});

function expectSaid({ recording, keyLog, said }: Spoken): void {
  const plain = decrypt(recording, decryptionWith(keyLog));
  expect(plain.said).toEqual(said);
  expect(plain.closed).toBe(0);
}

const suites13 = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_CCM_SHA256',
  'TLS_AES_128_CCM_8_SHA256',
];

describe('TLS 1.3', () => {
  it.each(suites13)('with %s opens, handshake and all', async (ciphers) => {
    const server = await open({ ciphers: suites13.join(':') });
    const spoken = await server.speak({ ciphers, minVersion: 'TLSv1.3' }, lines);
    expectSaid(spoken);
    const { opened } = decrypt(spoken.recording, decryptionWith(spoken.keyLog));
    // EncryptedExtensions and so on, the client's Finished, session tickets, both alerts.
    expect(opened.filter(([direction, type]) => direction === 1 && type === 22).length).toBeGreaterThanOrEqual(2);
    expect(opened.filter(([direction, type]) => direction === 0 && type === 22)).toHaveLength(1);
    expect(opened).toContainEqual([0, 21]);
  });

  it('opens after a HelloRetryRequest', async () => {
    const server = await open({ ecdhCurve: 'P-384' });
    const spoken = await server.speak({ ecdhCurve: 'X25519:P-384', minVersion: 'TLSv1.3' }, lines);
    const hellos = spoken.recording.records.filter(
      ({ contentType, fragment }) => contentType === 22 && fragment[0] === 1,
    );
    expect(hellos).toHaveLength(2);
    expectSaid(spoken);
  });

  it('opens when a session is resumed', async () => {
    const server = await open({});
    const first = await server.speak({ minVersion: 'TLSv1.3' }, lines);
    const second = await server.speak({ minVersion: 'TLSv1.3', session: first.session! }, lines);
    expect(second.isResumed).toBe(true);
    expectSaid(second);
  });

  it('opens its data without the secrets of the handshake', async () => {
    const server = await open({});
    const { recording, keyLog, said } = await server.speak({ minVersion: 'TLSv1.3' }, lines);
    const onlyTraffic = keyLog.replace(/^.*_HANDSHAKE_.*\n/gm, '');
    expect(decrypt(recording, decryptionWith(onlyTraffic)).said).toEqual(said);
  });

  it('opens its data where the ServerHello was lost', async () => {
    const server = await open({});
    for (const ciphers of suites13.slice(0, 3)) {
      const { recording, keyLog, said } = await server.speak({ ciphers, minVersion: 'TLSv1.3' }, lines);
      const hello = recording.records.findIndex(({ direction }) => direction === 1);
      expect(decrypt(recording, decryptionWith(keyLog), new Set([hello])).said).toEqual(said);
    }
  });
});

const suites12 = getCiphers()
  .filter((name) => /^(?!.*(psk|srp)).*(gcm|chacha20|-sha(256|384)?$)/.test(name) && !name.startsWith('tls_'))
  .map((name) => name.toUpperCase());

describe('TLS 1.2', () => {
  it('is tried with all suites that Node has for certificates', () => {
    expect(suites12.length).toBeGreaterThanOrEqual(20);
  });

  it.each(suites12)('with %s opens, handshake and all', async (name) => {
    const server = await open({});
    const spoken = await server.speak({ ciphers: `${name}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' }, lines);
    expectSaid(spoken);
    const { opened } = decrypt(spoken.recording, decryptionWith(spoken.keyLog));
    expect(opened.slice(0, 2).map(([, type]) => type)).toEqual([22, 22]);
  });

  it.each(['ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA384', 'AES128-SHA256'])(
    'with %s and without Encrypt-then-MAC opens',
    async (name) => {
      const server = await open({ secureOptions: noEncryptThenMac });
      expectSaid(await server.speak({ ciphers: `${name}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' }, lines));
    },
  );

  it.each([
    ['a ticket', 0],
    ['a session identifier', noTicket],
  ])('opens a session resumed by %s, with the key log of the first connection only', async (_, secureOptions) => {
    const server = await open({ secureOptions, sessionIdContext: 'test' });
    const first = await server.speak({ maxVersion: 'TLSv1.2' }, lines);
    const second = await server.speak({ maxVersion: 'TLSv1.2', session: first.session! }, lines);
    expect(second.isResumed).toBe(true);
    const decryption = decryptionWith(first.keyLog);
    expect(decrypt(second.recording, decryption).closed).toBeGreaterThan(0);
    expect(decrypt(first.recording, decryption).said).toEqual(first.said);
    expect(decrypt(second.recording, decryption).said).toEqual(second.said);
    expectSaid(second);
  });

  it('opens with a line that has the session identifier', async () => {
    const server = await open({ secureOptions: noTicket, sessionIdContext: 'test' });
    const { recording, keyLog, said } = await server.speak({ maxVersion: 'TLSv1.2' }, lines);
    const hello = Buffer.from(recording.records.find(({ direction }) => direction === 1)!.fragment);
    const identifier = hello.subarray(39, 39 + hello[38]!).toString('hex');
    expect(identifier).toHaveLength(64);
    const master = keyLog.trim().split(' ')[2];
    const line = `RSA Session-ID:${identifier.toUpperCase()} Master-Key:${master}\n`;
    expect(decrypt(recording, decryptionWith(line)).said).toEqual(said);
  });

  it('opens after a renegotiation', async () => {
    const server = await open({});
    const spoken = await server.speak({ maxVersion: 'TLSv1.2' }, lines, async (client, index, say) => {
      if (index !== 1) return;
      await new Promise<void>((resolve, reject) => {
        client.renegotiate({ rejectUnauthorized: false }, (error) => (error === null ? resolve() : reject(error)));
        // It begins with what is said next.
        say('again\n');
      });
      say('and on\n');
    });
    expect(spoken.recording.records.filter(({ contentType }) => contentType === 20)).toHaveLength(4);
    expectSaid(spoken);
  });

  /** What the client encrypted with the server's key. [RFC 5246 §7.4.7.1] */
  function preMasterOf(recording: Recording): { encrypted: Buffer; preMaster: Buffer } {
    const exchange = recording.records.find(({ contentType, fragment }) => contentType === 22 && fragment[0] === 16)!;
    const encrypted = Buffer.from(exchange.fragment.subarray(6));
    // Node gives no access to PKCS #1 v1.5, so its padding is taken away here: 0, 2, other bytes, 0.
    const padded = privateDecrypt({ key: createPrivateKey(rsa.key), padding: constants.RSA_NO_PADDING }, encrypted);
    return { encrypted, preMaster: padded.subarray(padded.indexOf(0, 2) + 1) };
  }

  it.each([
    ['with', 0],
    ['without', noExtendedMasterSecret],
  ])('opens with a premaster secret, %s Extended Master Secret', async (_, secureOptions) => {
    const server = await open({ secureOptions });
    const options = { ciphers: 'AES128-GCM-SHA256:@SECLEVEL=0', maxVersion: 'TLSv1.2' } as const;
    const { recording, keyLog, said } = await server.speak(options, lines);
    const { encrypted, preMaster } = preMasterOf(recording);
    expect(preMaster).toHaveLength(48);
    const random = /^CLIENT_RANDOM (\w+)/m.exec(keyLog)![1];
    for (const line of [
      `PMS_CLIENT_RANDOM ${random} ${preMaster.toString('hex')}`,
      `RSA ${encrypted.toString('hex', 0, 8)} ${preMaster.toString('hex')}`,
    ]) {
      expect(decrypt(recording, decryptionWith(line)).said, line).toEqual(said);
    }
  });
});

describe('what is missing', () => {
  const many = Array.from({ length: 200 }, (_, index) => `line ${index}\n`);

  /** Sends lines in records of their own, and tells the indexes of those records. */
  async function speakMany(options: object): Promise<{ spoken: Spoken; data: number[] }> {
    const server = await open({});
    const spoken = await server.speak({ ...options }, many);
    const { records } = spoken.recording;
    const data = records.flatMap(({ direction, contentType }, index) =>
      contentType === 23 && direction === 0 ? [index] : [],
    );
    // In TLS 1.3 the Finished and the alert look like data, too.
    return { spoken, data: data.length === many.length ? data : data.slice(-many.length - 1, -1) };
  }

  const kinds: [string, object][] = [
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
    ['TLS 1.2, GCM', { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }],
    ['TLS 1.2, ChaCha20', { ciphers: 'ECDHE-RSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' }],
    ['TLS 1.2, CBC', { ciphers: 'ECDHE-RSA-AES128-SHA', maxVersion: 'TLSv1.2' }],
  ];

  it.each(kinds)('leaves the rest readable: %s', async (_, options) => {
    const { spoken, data } = await speakMany(options);
    for (const [from, to] of [
      [0, 1],
      [10, 11],
      [20, 150],
      [50, 199],
    ] as const) {
      const lost = new Set(data.slice(from, to));
      const { said } = decrypt(spoken.recording, decryptionWith(spoken.keyLog), lost);
      expect(said[0]).toBe(many.filter((_, index) => index < from || index >= to).join(''));
      expect(said[1]).toBe(spoken.said[1]);
    }
  });

  it.each(kinds)('may be the end of the handshake: %s', async (_, options) => {
    const { spoken, data } = await speakMany(options);
    const { records } = spoken.recording;
    // All that a direction sent after its hello, up to its first data: of the client's, what comes after its key exchange.
    for (const direction of [0, 1] as const) {
      const lost = new Set<number>();
      records.forEach((record, index) => {
        if (record.direction !== direction || index >= data[0]! + (direction === 1 ? 1 : 0)) return;
        if (record.contentType !== 22 || ![1, 2, 11, 12, 14, 16].includes(record.fragment[0]!)) lost.add(index);
      });
      expect(lost.size).toBeGreaterThan(0);
      expect(decrypt(spoken.recording, decryptionWith(spoken.keyLog), lost).said).toEqual(spoken.said);
    }
  });

  it('may be said without a record being gone, or not be said', async () => {
    const { spoken, data } = await speakMany({ minVersion: 'TLSv1.3' });
    const connection = decryptionWith(spoken.keyLog).begin();
    let said = '';
    spoken.recording.records.forEach(({ direction, contentType, version, fragment }, index) => {
      if (index % 7 === 0) connection.lose(direction);
      if (index === data[20] || index === data[21]) return;
      const record = connection.receive(direction, contentType, version, fragment);
      if (record?.contentType === 23 && direction === 0) said += Buffer.from(record.bytes).toString();
    });
    expect(said.split('\n').length).toBe(many.length - 1);
  });

  it('may be damaged: what follows opens', async () => {
    for (const [, options] of kinds) {
      const { spoken, data } = await speakMany(options);
      const { fragment } = spoken.recording.records[data[30]!]!;
      fragment[fragment.length - 1]! ^= 1;
      const { said, closed } = decrypt(spoken.recording, decryptionWith(spoken.keyLog));
      expect(closed).toBe(1);
      expect(said[0].split('\n').length).toBe(many.length);
    }
  });

  it('is the beginning, where nothing opens', async () => {
    const { spoken } = await speakMany({ minVersion: 'TLSv1.3' });
    const lost = new Set([0]);
    expect(decrypt(spoken.recording, decryptionWith(spoken.keyLog), lost).opened).toEqual([]);
  });
});

describe('secrets', () => {
  it('that come late open what comes after them', async () => {
    const server = await open({});
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { recording, keyLog } = await server.speak({ minVersion: version, maxVersion: version }, lines);
      for (const late of [1, 3, 5, 8]) {
        const text = new KeyLogText();
        const connection = decryptionWith(text).begin();
        let opened = 0;
        recording.records.forEach(({ direction, contentType, version: header, fragment }, index) => {
          if (index === recording.records.length - late) text.text = keyLog;
          if (connection.receive(direction, contentType, header, fragment) !== undefined) opened++;
        });
        expect(opened, `${version}, ${late} records before the end`).toBe(late);
      }
    }
  });

  it('of another connection open nothing', async () => {
    const server = await open({});
    const first = await server.speak({ minVersion: 'TLSv1.3' }, lines);
    const second = await server.speak({ minVersion: 'TLSv1.3' }, lines);
    expect(decrypt(first.recording, decryptionWith(second.keyLog)).opened).toEqual([]);
  });

  it('that are wrong open nothing', async () => {
    const server = await open({});
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { recording, keyLog } = await server.speak({ minVersion: version, maxVersion: version }, lines);
      const wrong = keyLog.replace(/[0-9a-f]{2}$/gm, (digits) => (digits === '00' ? '11' : '00'));
      expect(decrypt(recording, decryptionWith(wrong)).opened).toEqual([]);
    }
  });
});

describe('any bytes', () => {
  it('never throw, with all secrets there', async () => {
    const server = await open({});
    let state = 7;
    const next = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 0x1_0000_0000) * below);
    };
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { recording, keyLog } = await server.speak({ minVersion: version, maxVersion: version }, [
        'a\n',
        'b\n',
        'c\n',
      ]);
      const decryption = decryptionWith(keyLog);
      for (let round = 0; round < 60; round++) {
        const connection = decryption.begin();
        for (const { direction, contentType, version: header, fragment } of recording.records) {
          const bytes = fragment.slice(0, next(4) === 0 ? next(fragment.length + 1) : fragment.length);
          for (let count = next(3); count > 0 && bytes.length > 0; count--)
            bytes[next(Math.min(bytes.length, 150))] = next(256);
          if (next(8) === 0) connection.lose(next(2) as 0 | 1);
          const type = next(10) === 0 ? 20 + next(5) : contentType;
          connection.receive(next(20) === 0 ? 0 : direction, type, header, bytes);
        }
      }
    }
  });
});
