/** `clearwing/dissect` in the browser: the same, with what it uses of others inside. */
export * from './index.ts';
