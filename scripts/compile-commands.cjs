/**
 * Run by the build, in a process of its own as V8's options must be those of a command's: makes the compiled code of the command
 * files that are its arguments. Each has shown its help by then, so that the code for that is in it, too.
 */
const { renameSync, writeFileSync } = require('node:fs');
const { codePathOf, runCommandFile } = require('./compiled-code.cjs');

async function compile(path) {
  const { exported, script } = runCommandFile(path, require);
  await exported.main(['--help'], 'clearwing');
  const temporaryPath = `${codePathOf(path)}.${process.pid}.tmp`;
  writeFileSync(temporaryPath, script.createCachedData());
  renameSync(temporaryPath, codePathOf(path));
}

Promise.all(process.argv.slice(2).map(compile)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
