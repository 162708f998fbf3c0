/**
 * Commands start sooner when V8 need not compile them: the build keeps what V8 made of each in a file beside it. V8 checks that it
 * made that itself; where it did not (another Node, other options of V8), or where there is none, it compiles as ever.
 *
 * A command is one expression in ASCII, a function of (exports, require, module), in a file that has its content in its name.
 */
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

/** Where the code for this very Node lies: V8 itself does not tell processors apart. */
function codePathOf(path) {
  return `${path}.${process.version}-${process.arch}.v8`;
}

/**
 * Runs a command's file.
 * @param {string} path absolute
 * @param {NodeRequire} requireFrom finds what it requires
 * @returns {{ exported: object, script: Script }}
 */
function runCommandFile(path, requireFrom) {
  let cachedData;
  try {
    cachedData = readFileSync(codePathOf(path));
  } catch {
    // Not made for this Node.
  }
  const script = new Script(readFileSync(path, 'latin1'), { filename: path, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireFrom, module);
  return { exported: module.exports, script };
}

module.exports = { codePathOf, runCommandFile };
