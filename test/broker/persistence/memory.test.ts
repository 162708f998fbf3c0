import { systemClock } from '../../../src/base/clock.ts';
import { MemoryStore } from '../../../src/broker/persistence/memory.ts';
import { describeStore } from './store-contract.ts';

describeStore('MemoryStore', () => {
  let store: MemoryStore | undefined;
  return {
    open: async () => {
      store = store?.crashed() ?? new MemoryStore({ clock: systemClock });
      return store;
    },
    remove: async () => {},
  };
});

describeStore('MemoryStore that takes its time', () => {
  let store: MemoryStore | undefined;
  return {
    open: async () => {
      store = store?.crashed() ?? new MemoryStore({ clock: systemClock, commitDelayMs: () => 2 });
      return store;
    },
    remove: async () => {},
  };
});
