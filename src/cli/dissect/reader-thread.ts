/** A thread that reads a capture beside others; `ReaderThreads` starts it. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CaptureFileError } from '../../capture/capture-file-error.ts';
import { BlockStock, type LineBlock } from './line-block.ts';
import { blocksAhead, openBlocks, type ReaderMessage, type ReaderTask } from './reader-task.ts';

/** Does what the thread was started for. Resolves with its exit status. */
export async function readAlong(): Promise<number> {
  const port = parentPort as MessagePort;
  const stock = new BlockStock();
  let notGivenBack = 0;
  let isNews = (): void => {};
  port.on('message', (block: LineBlock) => {
    stock.give(block);
    notGivenBack--;
    isNews();
  });
  try {
    for await (const block of openBlocks(workerData as ReaderTask, stock)) {
      port.postMessage(block);
      notGivenBack++;
      while (notGivenBack >= blocksAhead) {
        await new Promise<void>((resolve) => {
          isNews = resolve;
        });
      }
    }
  } catch (error) {
    // Whoever reads beside finds that out, too, and says it.
    if (!(error instanceof CaptureFileError)) throw error;
  }
  port.postMessage('end' satisfies ReaderMessage);
  port.close();
  return 0;
}
