/**
 * A page that shows the messages of a topic filter as they come and publishes others.
 *
 *     npx esbuild examples/browser/page.ts --bundle --format=esm --outfile=examples/browser/page.js
 *
 * Then serve the folder, for instance by a listener with `protocol websockets` and `http_dir examples/browser`, and open it.
 * Outside of this repository the import is `from 'clearwing/client'`, which bundlers resolve to the build for browsers.
 */
import { type Client, connect } from '../../src/client/web.ts';

const linesMax = 200;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

const status = element('status');
const messages = element<HTMLOListElement>('messages');
const filter = element<HTMLInputElement>('filter');
const topic = element<HTMLInputElement>('topic');
const payload = element<HTMLInputElement>('payload');

function show(topicName: string, text: string): void {
  const line = document.createElement('li');
  // As text, never as HTML: anybody may have published it.
  line.textContent = `${topicName}: ${text}`;
  messages.prepend(line);
  while (messages.childElementCount > linesMax) messages.lastElementChild?.remove();
}

async function start(): Promise<Client> {
  const url = new URL('mqtt', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const client = await connect(url.href, { reconnect: { initially: true } });
  status.textContent = 'connected';
  client.on('connect', () => {
    status.textContent = 'connected';
  });
  client.on('disconnect', (error) => {
    status.textContent = error?.message ?? 'disconnected';
  });
  return client;
}

const client = await start();
let subscription = await client.subscribe(filter.value, {
  onMessage: (message) => show(message.topicName, message.text()),
});

element<HTMLFormElement>('subscribe').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const next = await client.subscribe(filter.value, {
      onMessage: (message) => show(message.topicName, message.text()),
    });
    await subscription.unsubscribe();
    subscription = next;
  } catch (error) {
    status.textContent = (error as Error).message;
  }
});

element<HTMLFormElement>('publish').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await client.publish(topic.value, payload.value, { qos: 1 });
  } catch (error) {
    status.textContent = (error as Error).message;
  }
});
