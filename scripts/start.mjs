/** `npm start`: a broker with the configuration that ships with Clearwing. Arguments after `--` are the broker's. */
import './node-version.mjs';

async function start() {
  const { join } = await import('node:path');
  const { repositoryDirectory } = await import('./repository.mjs');
  const { clearwingMain, runClearwing } = await import('./run.mjs');
  const given = process.argv.slice(2);
  const isConfigured = given.some((argument) => /^(-c|--config-file)$/.test(argument));
  const configuration = isConfigured ? [] : ['-c', join(repositoryDirectory, 'clearwing.conf')];
  await runClearwing(clearwingMain, ['broker', ...configuration, ...given]);
}

start();
