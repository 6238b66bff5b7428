/** Every word that the components say. `{name}` is the application's name. */
export interface Texts {
  connect: string;
  reconnect: string;
  reconnectNamed: string;
  connecting: string;
  disconnect: string;
  disconnectNamed: string;
  disconnecting: string;
  keep: string;
  connected: string;
  expired: string;
  notConnected: string;
  connectedNow: string;
  disconnectedNow: string;
  declined: string;
  expiredText: string;
  loading: string;
  failed: string;
  retry: string;
  back: string;
  search: string;
  nothing: string;
  oauth2: string;
  keybased: string;
  way: string;
  sessionExpired: string;
  otherAccount: string;
}

export const english: Texts = {
  connect: 'Connect',
  reconnect: 'Reconnect',
  reconnectNamed: 'Reconnect {name}',
  connecting: 'Waiting for {name}…',
  disconnect: 'Disconnect',
  disconnectNamed: 'Disconnect {name}?',
  disconnecting: 'Disconnecting…',
  keep: 'Keep it',
  connected: 'Connected',
  expired: 'Expired',
  notConnected: 'Not connected',
  connectedNow: '{name} is connected.',
  disconnectedNow: '{name} is disconnected.',
  declined: '{name} was not connected. Nothing has changed.',
  expiredText: 'Access to {name} has ended. Reconnect to go on; nothing else is lost.',
  loading: 'Loading…',
  failed: 'This could not be loaded.',
  retry: 'Try again',
  back: 'All applications',
  search: 'Search applications',
  nothing: 'No application matches.',
  oauth2: 'Sign in',
  keybased: 'API key',
  way: 'How to connect',
  sessionExpired: 'Your session has expired. Please reload the page.',
  otherAccount: 'That is another account than the one that was connected. Nothing has changed.',
};

/** What an error is to the customer: a text of ours where there is one for its code, or else `otherwise`. */
export function explain(texts: Texts, code: string, otherwise: string): string {
  if (code === 'SESSION_EXPIRED') return texts.sessionExpired;
  return code === 'ACCOUNT_MISMATCH' ? texts.otherAccount : otherwise;
}

/** A text with the application's name in it. */
export function fill(text: string, name: string): string {
  return text.replaceAll('{name}', () => name);
}
