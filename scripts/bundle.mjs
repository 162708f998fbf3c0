/**
 * Builds dist/ from src/ with esbuild. What is built follows from package.json: each `default` target of its exports and each
 * bin is one entry point, `./dist/client/node.js` being made from `src/client/node.ts`. Code that entry points share goes
 * to dist/chunks; packages stay imports. What has a `browser` condition is built once more on its own, for browsers.
 *
 * Files are replaced one by one, each in one step, those that others import first. A process that runs from dist meanwhile
 * goes on finding the chunks it was built with: they have their content in their names and stay for a day.
 */
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
import { dirname, join, relative, sep } from 'node:path';
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
  const [forNode, forBrowsers] = await Promise.all([
    esbuild.build({ ...commonOptions(entries.node), platform: 'node', target: 'node20', packages: 'external' }),
    esbuild.build({ ...commonOptions(entries.browser), platform: 'browser', target: 'es2022' }),
  ]);
  const files = [...forNode.outputFiles, ...forBrowsers.outputFiles];
  const isEntry = (file) => !relative(distDirectory, file.path).startsWith('chunks');
  for (const file of files.filter((file) => !isEntry(file))) replace(file.path, file.contents);
  for (const file of files.filter(isEntry)) replace(file.path, file.contents);
  const previous = readStamp()?.outputs ?? [];
  const outputs = files.map((file) => relative(distDirectory, file.path).split(sep).join('/'));
  removeUnused(new Set(outputs), new Set(previous), clean ? 0 : keepUnusedMs);
  replace(stampPath, JSON.stringify({ fingerprint: builtFrom, outputs }));
}

function commonOptions(entryPoints) {
  return {
    absWorkingDir: repositoryDirectory,
    entryPoints,
    outdir: distDirectory,
    bundle: true,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    charset: 'utf8',
    write: false,
    logLevel: 'warning',
  };
}

/** The entry points as esbuild wants them (`cli/main` → `src/cli/main.ts`), for Node and for browsers. */
function readEntries() {
  const manifest = JSON.parse(readFileSync(join(repositoryDirectory, 'package.json'), 'utf8'));
  const entries = { node: {}, browser: {} };
  const add = (group, target) => {
    const name = /^\.?\/?dist\/(.+)\.js$/.exec(target)?.[1];
    if (name === undefined) throw new Error(`package.json names ${target}; expected a .js file in dist/`);
    group[name] = `src/${name}.ts`;
  };
  for (const target of Object.values(manifest.bin)) add(entries.node, target);
  for (const conditions of Object.values(manifest.exports)) {
    if (typeof conditions === 'string') continue;
    add(entries.node, conditions.default);
    if (conditions.browser !== undefined) add(entries.browser, conditions.browser.default);
  }
  return entries;
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
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/bundle.mjs'].map((path) =>
      join(repositoryDirectory, path),
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
