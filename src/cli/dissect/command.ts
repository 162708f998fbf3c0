/** What `clearwing dissect` and `clearwing capture` have in common: all but where frames come from as a rule. */
import { CaptureProgramError, listInterfaces } from '../../capture/node/capture-program.ts';
import { pointAt } from '../../dissect/filter/point-at.ts';
import { allFields } from '../../dissect/registry.ts';
import { version } from '../version.ts';
import { DissectArgumentError, parseDissectArguments } from './arguments.ts';
import { BrokerTapError } from './broker-tap-error.ts';
import { OutputFileError } from './capture-output.ts';
import { FilterError } from './filter-error.ts';
import { usage } from './help.ts';
import { runDissection } from './run.ts';
import { CaptureInputError } from './sources.ts';

const failure = 1;
/** tshark's status where a filter or a file is no good. */
const unusable = 2;

export async function runCommand(
  args: readonly string[],
  invokedAs: string,
  command: 'dissect' | 'capture',
  programFile: string,
): Promise<number> {
  try {
    const parsed = parseDissectArguments(args, command);
    switch (parsed.action) {
      case 'help':
        process.stdout.write(usage(invokedAs, command));
        return 0;
      case 'version':
        process.stdout.write(`clearwing ${version}\n`);
        return 0;
      case 'list fields':
        process.stdout.write(fieldList());
        return 0;
      case 'list interfaces':
        process.stdout.write(`${(await listInterfaces()).join('\n')}\n`);
        return 0;
      case 'dissect':
        return await runDissection(parsed.request, programFile);
    }
  } catch (error) {
    const status = explain(error, invokedAs);
    if (status === undefined) throw error;
    return status;
  }
}

/** Says what is wrong; undefined if that is none of the things that may be. */
function explain(error: unknown, invokedAs: string): number | undefined {
  const say = (text: string): void => void process.stderr.write(`clearwing: ${text}\n`);
  if (error instanceof FilterError) {
    say(error.message);
    const lines = pointAt(error.text, error.cause).split('\n');
    process.stderr.write(lines.map((line) => `    ${line}\n`).join(''));
    return unusable;
  }
  if (error instanceof DissectArgumentError) {
    say(error.message);
    process.stderr.write(`'${invokedAs} --help' tells more.\n`);
    return failure;
  }
  if (error instanceof CaptureInputError || error instanceof OutputFileError) {
    say(error.message);
    return unusable;
  }
  if (error instanceof CaptureProgramError || error instanceof BrokerTapError) {
    say(error.message);
    return failure;
  }
  return undefined;
}

/** As `tshark -G fields`: tab-separated, P for protocols and F for fields. */
function fieldList(): string {
  let text = '';
  for (const field of allFields) {
    if (field.name === '') continue;
    const { label, name, type, protocol, about } = field;
    if (type === 'protocol' && field === protocol) text += `P\t${label}\t${name}\n`;
    else text += `F\t${label}\t${name}\t${type}\t${protocol.name}\t${about ?? ''}\n`;
  }
  return text;
}
