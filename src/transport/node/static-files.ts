/** Serves the files of one directory over HTTP, read-only: `http_dir` of a WebSocket listener. */
import { createReadStream } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';

const contentTypes = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.csv', 'text/csv; charset=utf-8'],
  ['.gif', 'image/gif'],
  ['.htm', 'text/html; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ico', 'image/x-icon'],
  ['.jpeg', 'image/jpeg'],
  ['.jpg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json; charset=utf-8'],
  ['.map', 'application/json; charset=utf-8'],
  ['.md', 'text/markdown; charset=utf-8'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.pdf', 'application/pdf'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.webmanifest', 'application/manifest+json'],
  ['.webp', 'image/webp'],
  ['.woff', 'font/woff'],
  ['.woff2', 'font/woff2'],
  ['.xml', 'application/xml; charset=utf-8'],
]);

/**
 * Answers a request from the directory: a file, or the `index.html` of a folder. Everything that is not a readable file inside
 * the directory, symbolic links resolved, is 404, so that nothing can be learnt about what lies outside.
 */
export async function serveFile(directory: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(response, 405, 'Only GET and HEAD are supported here.\n', { Allow: 'GET, HEAD' });
  }
  const path = await findFile(directory, request.url ?? '/');
  if (path === undefined) return refuse(response, 404, 'Not found.\n');
  if (path.endsWith(sep)) {
    // Without the final slash the page's relative links would lead to the parent folder.
    const location = `${(request.url ?? '/').split('?')[0]!.replace(/^\/+/, '/')}/`;
    return refuse(response, 301, 'Moved.\n', { Location: location });
  }
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return refuse(response, 404, 'Not found.\n');
  const { size, mtime } = await handle.stat();
  response.writeHead(200, {
    'Content-Type': contentTypes.get(extname(path).toLowerCase()) ?? 'application/octet-stream',
    'Content-Length': size,
    'Last-Modified': mtime.toUTCString(),
    'X-Content-Type-Options': 'nosniff',
  });
  if (request.method === 'HEAD' || size === 0) {
    await handle.close();
    response.end();
    return;
  }
  // `end` keeps to the length announced even if the file grows meanwhile.
  const stream = createReadStream('', { fd: handle, end: size - 1 });
  stream.on('error', () => response.destroy());
  response.on('close', () => stream.destroy());
  stream.pipe(response);
}

/** The real path of the file, that of a folder with a final separator if the URL lacks its slash, or nothing. */
async function findFile(directory: string, url: string): Promise<string | undefined> {
  let name: string;
  try {
    name = decodeURIComponent(url.split(/[?#]/, 1)[0]!);
  } catch {
    return undefined;
  }
  if (name.includes('\0') || name.includes('\\') || !name.startsWith('/')) return undefined;
  // Hidden files (and with them `..`) are not served.
  if (name.split('/').some((part) => part.startsWith('.'))) return undefined;
  try {
    const root = await realpath(directory);
    const path = await realpath(join(root, name));
    if (path !== root && !path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const kind = await kindOf(path);
    if (kind === 'file') return name.endsWith('/') ? undefined : path;
    if (kind !== 'folder') return undefined;
    if (!name.endsWith('/')) return path + sep;
    const index = await realpath(join(path, 'index.html'));
    const isInside = index.startsWith(root.endsWith(sep) ? root : root + sep);
    return isInside && (await kindOf(index)) === 'file' ? index : undefined;
  } catch {
    return undefined;
  }
}

/** Only regular files are read: opening a pipe or a device could wait for ever. */
async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path);
  return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : undefined;
}

/** A short answer in plain text. */
export function refuse(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}
