/** `npm start`: a broker with the configuration that ships with Clearwing. Arguments after `--` are the broker's. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import './node-version.mjs';

async function start() {
  const { repositoryDirectory } = await import('./repository.mjs');
  const { fail, setUp } = await import('./setup.mjs');
  try {
    await setUp();
  } catch (error) {
    fail(error);
    return;
  }
  const given = process.argv.slice(2);
  const isConfigured = given.some((argument) => /^(-c|--config-file)$/.test(argument));
  const configuration = isConfigured ? [] : ['-c', join(repositoryDirectory, 'clearwing.conf')];
  // The broker runs in this process, so that signals reach it and its exit status is that of `npm start`.
  const main = join(repositoryDirectory, 'dist', 'cli', 'main.js');
  process.argv.splice(1, process.argv.length, main, 'broker', ...configuration, ...given);
  await import(pathToFileURL(main).href);
}

await start();
