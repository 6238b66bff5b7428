// A product's back end, as far as the examples need one: it serves a folder and hands out session tokens. The API key
// stays here; the browser gets a token that reaches one customer's connections.
//
//   EVERGRANT_URL=http://localhost:8080 EVERGRANT_KEY=tk_… node examples/serve.mjs examples/plain
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @type {Record<string, string>} */
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/**
 * A session token for a customer. Your own back end knows from its login which one it is.
 * @param {{ baseUrl: string, key: string, account: string }} options
 */
export async function sessionToken({ baseUrl, key, account }) {
  const answer = await fetch(`${baseUrl}/api/v2/public/session-token`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ linked_account_id: account }),
  });
  if (!answer.ok) throw new Error(`Evergrant answered ${answer.status}: ${await answer.text()}`);
  const { token } = /** @type {{ token: string }} */ (await answer.json());
  return token;
}

/**
 * Serves a folder and, at `/session`, a session token.
 * @param {{ folder: string, baseUrl: string, key: string, account: string, port?: number }} options
 */
export async function serve({ folder, port = 0, ...evergrant }) {
  const server = createServer(async (request, response) => {
    try {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
      if (path === '/session') {
        const body = { baseUrl: evergrant.baseUrl, token: await sessionToken(evergrant) };
        response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
        return;
      }
      const file = join(folder, normalize(path.endsWith('/') ? `${path}index.html` : path));
      const content = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(content);
    } catch (error) {
      const missing = /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT';
      if (!missing) console.error(error);
      response.writeHead(missing ? 404 : 500).end();
    }
  });
  await new Promise((done) => { server.listen(port, '127.0.0.1', () => done(undefined)); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { EVERGRANT_URL: baseUrl = 'http://localhost:8080', EVERGRANT_KEY: key, ACCOUNT: account = 'acct-7', PORT = '3000' } = process.env;
  const folder = process.argv[2];
  if (!key || !folder) throw new Error('Usage: EVERGRANT_KEY=tk_… node examples/serve.mjs FOLDER');
  const { origin } = await serve({ folder, baseUrl, key, account, port: Number(PORT) });
  console.log(`Open ${origin}`);
}
