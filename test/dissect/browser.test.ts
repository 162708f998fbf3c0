/** `clearwing/dissect` as it is built, in a browser: the same rows as in Node. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dissect } from '../../src/dissect/index.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { testPatienceMs } from '../support/suite.ts';

const captures = ['lab-v5-mosquitto.pcap', 'lab-gzip.pcap.gz', 'lab-websocket-frames.pcapng'];
const filter = 'mqtt.qos > 0 || mqtt.property.session_expiry_interval';

const page = `<!doctype html><title>working</title><ol></ol><script type="module">
  import { dissect } from '/dist/dissect/web.js';
  const list = document.querySelector('ol');
  const row = (text) => list.append(Object.assign(document.createElement('li'), { textContent: text }));
  try {
    for (const name of ${JSON.stringify(captures)}) {
      const response = await fetch('/test/fixtures/captures/' + name);
      for await (const frame of dissect(response.body, { filter: ${JSON.stringify(filter)} })) {
        row([name, frame.frame.number, frame.source(), frame.protocol(), frame.info()].join(' '));
      }
    }
  } catch (error) {
    row('failed: ' + error.stack);
  }
  document.title = 'done';
</script>`;

describeWithPeer('chromium', 'the dissector in a browser', () => {
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      if (path === '/') {
        response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
        return;
      }
      try {
        const type = path.endsWith('.js') ? 'text/javascript' : 'application/octet-stream';
        response.setHeader('content-type', type).end(readFileSync(join(repositoryDirectory, path)));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it(
    'shows the same rows as in Node',
    async () => {
      const { port } = server.address() as AddressInfo;
      const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=20000', '--dump-dom'];
      const shown = await run(peerPath('chromium'), [...flags, `http://127.0.0.1:${port}/`]);
      expect(shown.stdout).toContain('<title>done</title>');
      const rows = [...shown.stdout.matchAll(/<li>(.*?)<\/li>/gs)].map((match) => textOf(match[1]!));
      const expected: string[] = [];
      for (const name of captures) {
        const bytes = readFileSync(join(repositoryDirectory, 'test', 'fixtures', 'captures', name));
        for await (const frame of dissect(bytes, { filter })) {
          expected.push([name, frame.frame.number, frame.source(), frame.protocol(), frame.info()].join(' '));
        }
      }
      expect(rows).toEqual(expected);
      for (const name of captures) expect(expected.some((row) => row.startsWith(name))).toBe(true);
    },
    testPatienceMs,
  );
});

function textOf(html: string): string {
  return html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
