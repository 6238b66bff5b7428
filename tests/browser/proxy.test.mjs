// The proxy of the real binary at its edges: TLS, large bodies in flat memory, and each side hanging up or being asked to stop
// in the middle.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeKeyedApp } from './catalog/lab.mjs';
import { Evergrant } from './support/evergrant.mjs';
import { listenTls, ownAuthority, startUpstream } from './support/upstream.mjs';

const CUSTOMER = 'streams';
const MIB = 1024 * 1024;
const LARGE = 100 * MIB;
/** How much the server's memory may grow by while so much passes: buffers of two connections, and the allocator's slack. */
const ROOM = 24 * MIB;

/**
 * A call through the proxy, as it goes over the wire.
 * @param {Evergrant} node @param {string} method @param {string} path what follows the proxy's address
 * @param {import('node:http').OutgoingHttpHeaders} [headers]
 */
function call(node, method, path, headers = {}) {
  return send(`${node.origin}/api/v2/public/proxy/${path}`, {
    method, agent: false, headers: { 'x-api-key': node.key, linked_account_id: CUSTOMER, ...headers },
  });
}

/** The head of the answer to a call. @param {import('node:http').ClientRequest} request @returns {Promise<import('node:http').IncomingMessage>} */
const head = async (request) => (await once(request, 'response'))[0];

/** How many bytes come, and whether they come to their end. @param {import('node:http').IncomingMessage} answer */
async function read(answer) {
  let bytes = 0;
  try {
    for await (const chunk of answer) bytes += chunk.length;
    return { bytes, whole: answer.complete };
  } catch {
    return { bytes, whole: false };
  }
}

/** The most memory that a process has had resident since it was last reset, in bytes. @param {number | undefined} pid */
async function peak(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Makes a customer who is connected with a key. @param {Evergrant} node @param {string} slug */
async function connect(node, slug) {
  await node.api('PUT', `/api/v2/public/linked-account/integration/save-key-credentials/${slug}`, {
    account: CUSTOMER, body: { api_key: 'key-of-the-customer' },
  });
}

describe('the proxy', () => {
  /** @type {Evergrant} */
  let node;
  /** @type {Awaited<ReturnType<typeof startUpstream>>} */
  let upstream;
  /** @type {string} */
  let catalog;
  before(async () => {
    upstream = await startUpstream();
    catalog = await mkdtemp(join(tmpdir(), 'evergrant-catalog-'));
    await writeKeyedApp(catalog, 'streamer', upstream.origin);
    node = await Evergrant.start({ engine: 'sqlite', egressAllow: [upstream.authority], catalog });
    await node.createAccount(CUSTOMER);
    await connect(node, 'streamer');
  });
  after(async () => {
    await node?.stop();
    await upstream?.close();
    if (catalog) await rm(catalog, { recursive: true, force: true });
  });

  test(`${LARGE / MIB} MiB pass in either direction, and memory stays flat`, async () => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    let arrived = 0;
    upstream.behave(async (request, response) => {
      for await (const chunk of request) arrived += chunk.length;
      response.writeHead(200, { 'content-length': LARGE });
      for (let sent = 0; sent < LARGE; sent += piece.length) {
        if (!response.write(piece)) await once(response, 'drain');
      }
      response.end();
    });
    const before = await peak(node.child.pid);
    const request = call(node, 'POST', 'streamer/large', { 'content-length': LARGE });
    const answer = head(request);
    for (let sent = 0; sent < LARGE; sent += piece.length) {
      if (!request.write(piece)) await once(request, 'drain');
    }
    request.end();
    assert.deepEqual(await read(await answer), { bytes: LARGE, whole: true });
    assert.equal(arrived, LARGE);
    const grown = await peak(node.child.pid) - before;
    assert(grown < ROOM, `the peak of memory grew by ${(grown / MIB).toFixed(1)} MiB`);
  });

  for (const [how, headers] of /** @type {const} */ ([['with a length', { 'content-length': 100 }], ['in chunks', {}]])) {
    test(`an answer ${how} that breaks off is broken off for the caller, too`, async () => {
      upstream.behave((_, response) => {
        response.writeHead(200, headers);
        response.write('first');
        setImmediate(() => response.socket?.destroy());
      });
      const { whole } = await read(await head(call(node, 'GET', 'streamer/breaks').end()));
      assert.equal(whole, false, 'half an answer must not pass for a whole one');
    });
  }

  test('a caller who hangs up before the answer has begun ends the provider\'s request', async () => {
    /** @type {(() => void) | undefined} */
    let begun;
    const arrived = new Promise((resolve) => { begun = () => resolve(undefined); });
    const left = new Promise((resolve) => {
      upstream.behave((request) => {
        request.socket.once('close', resolve);
        begun?.();
      });
    });
    const request = call(node, 'GET', 'streamer/silent').end();
    request.on('error', () => {});
    await arrived;
    request.destroy();
    await left;
  });

  test('asked to end, the process lets an answer that is streaming come to its end', async () => {
    const other = await Evergrant.start({ engine: 'sqlite', egressAllow: [upstream.authority], catalog });
    await other.createAccount(CUSTOMER);
    await connect(other, 'streamer');
    // A slow provider: its answer takes longer than the two seconds that idle connections get.
    upstream.behave((_, response) => {
      response.writeHead(200, { 'content-length': 10 });
      let sent = 0;
      const drip = setInterval(() => {
        response.write('x');
        sent += 1;
        if (sent === 10) clearInterval(drip);
      }, 400);
    });
    const answer = await head(call(other, 'GET', 'streamer/slow').end());
    const ended = other.stop();
    assert.deepEqual(await read(answer), { bytes: 10, whole: true });
    assert.match(other.log, /stopping:/);
    await ended;
  });

  test('a provider behind TLS is reached by a certificate that is trusted, and by no other', async () => {
    const authority = await ownAuthority();
    const stranger = await ownAuthority();
    const seen = /** @type {(string | undefined)[]} */ ([]);
    const secure = await listenTls(authority, (request, response) => {
      seen.push(request.headers.authorization);
      response.end('over TLS');
    });
    const folder = await mkdtemp(join(tmpdir(), 'evergrant-catalog-'));
    try {
      await writeKeyedApp(folder, 'secure', secure.origin);
      for (const [root, status] of /** @type {const} */ ([[stranger.root, 502], [authority.root, 200]])) {
        const trusting = await Evergrant.start({
          engine: 'sqlite', egressAllow: [secure.authority], catalog: folder, more: { SSL_CERT_FILE: root },
        });
        try {
          await trusting.createAccount(CUSTOMER);
          await connect(trusting, 'secure');
          const answer = await head(call(trusting, 'GET', 'secure/a').end());
          assert.equal(answer.statusCode, status);
          await read(answer);
        } finally {
          await trusting.stop();
        }
      }
      assert.deepEqual(seen, ['Bearer key-of-the-customer'], 'nothing was sent to where nobody is trusted');
    } finally {
      await secure.close();
      await Promise.all([authority.drop(), stranger.drop(), rm(folder, { recursive: true, force: true })]);
    }
  });
});
