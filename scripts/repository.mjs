import { fileURLToPath } from 'node:url';

/** The checkout that the scripts belong to, wherever they are started from; ends with a separator. */
export const repositoryDirectory = fileURLToPath(new URL('..', import.meta.url));
