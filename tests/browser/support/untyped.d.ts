// oidc-provider ships no types of its own.
declare module 'oidc-provider';
