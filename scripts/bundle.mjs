/**
 * Builds dist/ from src/ with esbuild. What is built follows from package.json: each `default` target of its exports and each
 * bin is one entry point, `./dist/client/node.js` being made from `src/client/node.ts`. Code that entry points share goes
 * to dist/chunks; packages stay imports. What has a `browser` condition is built once more on its own, for browsers.
 *
 * A bin is built for a quick start: as a CommonJS module, which Node loads in less time than an ES module, and each of the commands
 * that it loads on demand as one file beside it, with its compiled code (compiled-code.cjs).
 *
 * Files are replaced one by one, each in one step, those that others import first. A process that runs from dist meanwhile
 * goes on finding the chunks it was built with: they have their content in their names and stay for a day.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { codePathOf } from './compiled-code.cjs';
import { repositoryDirectory } from './repository.mjs';

const distDirectory = join(repositoryDirectory, 'dist');
const stampPath = join(distDirectory, '.build-stamp');
const typesDirectory = join(distDirectory, 'types');
const keepUnusedMs = 24 * 60 * 60 * 1000;

/** Whether dist/ was built from the sources as they are now. */
export function isBuilt() {
  const stamp = readStamp();
  return (
    stamp !== undefined &&
    stamp.fingerprint === fingerprint() &&
    stamp.outputs.every((path) => existsSync(join(distDirectory, path)))
  );
}

/**
 * Builds dist/.
 * @param {{ clean?: boolean }} [options] `clean`: remove at once what is no longer used (default: after a day)
 * @throws {Error} with `errors`, after esbuild has printed them
 */
export async function bundle({ clean = false } = {}) {
  // Taken first: what is changed during the build leads to another one.
  const builtFrom = fingerprint();
  const esbuild = await import('esbuild');
  const entries = readEntries();
  const [forNode, forBrowsers, commands] = await Promise.all([
    esbuild.build({ ...libraryOptions(entries.node), ...nodeOptions }),
    esbuild.build({ ...libraryOptions(entries.browser), platform: 'browser', target: 'es2022' }),
    esbuild.build(commandOptions(entries.command)),
  ]);
  const programs = await esbuild.build(programOptions(entries.program, commands.metafile));
  const files = [...forNode.outputFiles, ...forBrowsers.outputFiles, ...commands.outputFiles, ...programs.outputFiles];
  for (const directory of new Set(programs.outputFiles.map((file) => dirname(file.path)))) {
    files.push({ path: join(directory, 'package.json'), contents: Buffer.from('{ "type": "commonjs" }\n') });
  }
  const isEntry = (file) => !/-[0-9A-Z]{8}\.js$/.test(file.path);
  for (const file of files.filter((file) => !isEntry(file))) replace(file.path, file.contents);
  const commandPaths = commands.outputFiles.map((file) => file.path);
  compile(commandPaths.filter((path) => !existsSync(codePathOf(path))));
  for (const file of files.filter(isEntry)) replace(file.path, file.contents);
  const previous = readStamp()?.outputs ?? [];
  const paths = [...files.map((file) => file.path), ...commandPaths.map(codePathOf).filter((path) => existsSync(path))];
  const outputs = paths.map((path) => relative(distDirectory, path).split(sep).join('/'));
  removeUnused(new Set(outputs), new Set(previous), clean ? 0 : keepUnusedMs);
  replace(stampPath, JSON.stringify({ fingerprint: builtFrom, outputs }));
}

const commonOptions = {
  absWorkingDir: repositoryDirectory,
  outdir: distDirectory,
  bundle: true,
  write: false,
  logLevel: 'warning',
};

const nodeOptions = { platform: 'node', target: 'node20', packages: 'external' };

function libraryOptions(entryPoints) {
  return {
    ...commonOptions,
    entryPoints,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    charset: 'utf8',
  };
}

/** No `charset`, and so ASCII, which V8 reads faster; without `import()`, for the loader of ES modules takes its time to start. */
const commonJsOptions = {
  ...commonOptions,
  ...nodeOptions,
  format: 'cjs',
  supported: { 'dynamic-import': false },
};

function commandOptions(entryPoints) {
  return {
    ...commonJsOptions,
    entryPoints,
    entryNames: '[dir]/[name]-[hash]',
    banner: { js: '(function (exports, require, module) {' },
    footer: { js: '})' },
    metafile: true,
  };
}

/** @param {object} metafile esbuild's account of the commands */
function programOptions(entryPoints, metafile) {
  const builtFrom = new Map(
    Object.entries(metafile.outputs).map(([path, { entryPoint }]) => [join(repositoryDirectory, entryPoint), path]),
  );
  return { ...commonJsOptions, entryPoints, plugins: [commandsBeside(builtFrom)] };
}

/**
 * Makes the import of a command run its file beside the program.
 * @param {ReadonlyMap<string, string>} builtFrom the file of each command, by the path of its source
 */
function commandsBeside(builtFrom) {
  return {
    name: 'commands-beside',
    setup(build) {
      build.onResolve({ filter: /^\.\// }, ({ kind, path, resolveDir }) => {
        const file = kind === 'dynamic-import' ? builtFrom.get(join(resolveDir, path)) : undefined;
        return file === undefined ? undefined : { path: basename(file), namespace: 'command' };
      });
      build.onLoad({ filter: /.*/, namespace: 'command' }, ({ path }) => {
        const loader = JSON.stringify(join(repositoryDirectory, 'scripts', 'compiled-code.cjs'));
        const file = `require('node:path').join(__dirname, ${JSON.stringify(path)})`;
        return {
          contents: `module.exports = require(${loader}).runCommandFile(${file}, require).exported;`,
          resolveDir: repositoryDirectory,
        };
      });
    },
  };
}

/** Makes the compiled code of command files. */
function compile(paths) {
  const { status } = spawnSync(
    process.execPath,
    [join(repositoryDirectory, 'scripts', 'compile-commands.cjs'), ...paths],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  // Without it commands start all the same.
  if (status !== 0) console.error('clearwing: the compiled code of the commands could not be made; they start slower');
}

/** The entry points as esbuild wants them (`cli/main` → `src/cli/main.ts`): of the library for Node and for browsers, the programs and their commands. */
function readEntries() {
  const manifest = JSON.parse(readFileSync(join(repositoryDirectory, 'package.json'), 'utf8'));
  const entries = { node: {}, browser: {}, program: {}, command: {} };
  const add = (group, target) => {
    const name = /^\.?\/?dist\/(.+)\.js$/.exec(target)?.[1];
    if (name === undefined) throw new Error(`package.json names ${target}; expected a .js file in dist/`);
    group[name] = `src/${name}.ts`;
  };
  for (const target of Object.values(manifest.bin)) add(entries.program, target);
  for (const command of readCommands()) add(entries.command, command);
  for (const conditions of Object.values(manifest.exports)) {
    if (typeof conditions === 'string') continue;
    add(entries.node, conditions.default);
    if (conditions.browser !== undefined) add(entries.browser, conditions.browser.default);
  }
  return entries;
}

/** The files of the commands, as src/cli/commands.ts loads them: `./dist/cli/pub.js`. */
function readCommands() {
  const source = readFileSync(join(repositoryDirectory, 'src', 'cli', 'commands.ts'), 'utf8');
  return [...source.matchAll(/import\('\.\/(.+)\.ts'\)/g)].map(([, name]) => `./dist/cli/${name}.js`);
}

/** Writes a file so that a reader sees the old content or the new, nothing else. */
function replace(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(contents))) return;
  const temporaryPath = `${path}.${process.pid}.tmp`;
  const startsWithHashbang = contents[0] === 0x23 && contents[1] === 0x21;
  writeFileSync(temporaryPath, contents, { mode: startsWithHashbang ? 0o755 : 0o644 });
  renameSync(temporaryPath, path);
}

/** Removes files that no build has used for `keepMs`; the last build that did not need them any more set their time. */
function removeUnused(outputs, previous, keepMs) {
  for (const path of listFiles(distDirectory)) {
    const name = relative(distDirectory, path).split(sep).join('/');
    if (outputs.has(name) || path === stampPath || path.startsWith(typesDirectory + sep)) continue;
    if (keepMs > 0 && previous.has(name)) utimesSync(path, new Date(), new Date());
    else if (Date.now() - statSync(path).mtimeMs >= keepMs) unlinkSync(path);
  }
}

function fingerprint() {
  const hash = createHash('sha256');
  const paths = [
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/bundle.mjs', 'scripts/compiled-code.cjs'].map(
      (path) => join(repositoryDirectory, path),
    ),
    ...listFiles(join(repositoryDirectory, 'src')),
  ];
  for (const path of paths) {
    const contents = readFileSync(path);
    hash.update(`${relative(repositoryDirectory, path)} ${contents.length}\n`).update(contents);
  }
  return hash.digest('hex');
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampPath, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Every file below a directory, in a fixed order. */
function listFiles(directory) {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}
