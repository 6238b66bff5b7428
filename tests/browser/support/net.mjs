// Loopback servers for tests: start on a free port, read what was sent, stop by themselves.
import { createServer } from 'node:http';

/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/**
 * A server on 127.0.0.1.
 * @typedef {object} Listening
 * @property {string} origin `http://127.0.0.1:PORT`
 * @property {string} authority `127.0.0.1:PORT`, as EVERGRANT_EGRESS_ALLOW wants it
 * @property {() => Promise<void>} close stops it, and cuts what is still connected
 */

/**
 * Starts a server on a free loopback port.
 * @param {(request: IncomingMessage, response: ServerResponse) => unknown} [handler]
 * @returns {Promise<Listening & { server: import('node:http').Server }>}
 */
export async function listen(handler) {
  const server = createServer(handler && (async (request, response) => {
    try {
      await handler(request, response);
    } catch (error) {
      console.error(error);
      response.writeHead(500).end();
    }
  }));
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  const authority = `127.0.0.1:${address.port}`;
  return {
    server,
    authority,
    origin: `http://${authority}`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

/** A loopback port that is free now, for a program that must be told its port beforehand. */
export async function freePort() {
  const { server, close } = await listen();
  const address = server.address();
  await close();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return address.port;
}

/**
 * The whole body of a request, as bytes.
 * @param {IncomingMessage} request
 */
export async function bodyOf(request) {
  /** @type {Buffer[]} */
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Answers with JSON.
 * @param {ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
export function sendJson(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/**
 * The result of `attempt` as soon as it is not undefined; fails at the deadline, saying what was awaited.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | undefined>} attempt
 * @param {number} [deadline] milliseconds
 * @returns {Promise<T>}
 */
export async function eventually(what, attempt, deadline = 20_000) {
  const end = Date.now() + deadline;
  for (;;) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (Date.now() > end) throw new Error(`waited ${deadline / 1000} s in vain for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}
