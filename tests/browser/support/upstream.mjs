// An API with a key that a test can make misbehave, over HTTP, or over TLS with a certificate that the test makes itself.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listen } from './net.mjs';

/** @typedef {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => unknown} Handler */

/** An authority of the test's own, and a certificate of it for `localhost`. */
export async function ownAuthority() {
  const folder = await mkdtemp(join(tmpdir(), 'evergrant-tls-'));
  const run = (/** @type {string[]} */ words) => promisify(execFile)('openssl', words, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run(['req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Test authority']);
  await run(['req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=localhost']);
  await writeFile(join(folder, 'leaf.ext'), 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n');
  await run(['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
    '-extfile', 'leaf.ext', '-out', 'leaf.pem']);
  return {
    /** The file that a client trusts. */
    root: join(folder, 'ca.pem'),
    cert: await readFile(join(folder, 'leaf.pem')),
    key: await readFile(join(folder, 'leaf.key')),
    drop: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * A TLS server under the name `localhost`.
 * @param {{ cert: Buffer, key: Buffer }} identity @param {Handler} handler
 */
export async function listenTls({ cert, key }, handler) {
  const server = createServer({ cert, key }, handler);
  await new Promise((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined)); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return {
    origin: `https://localhost:${address.port}`,
    authority: `localhost:${address.port}`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve(undefined));
      server.closeAllConnections();
    }),
  };
}

/** A server whose behaviour can be changed. */
export async function startUpstream() {
  /** @type {{ handle: Handler }} */
  const state = { handle: (_, response) => { response.end(); } };
  const served = await listen((request, response) => state.handle(request, response));
  return { ...served, behave: (/** @type {Handler} */ handle) => { state.handle = handle; } };
}
