import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { version } from '../../src/cli/version.ts';
import { clearwingMain } from '../support/paths.ts';
import { run, start } from '../support/run.ts';

const clearwing = (...args: string[]) => run(process.execPath, [clearwingMain, ...args]);

describe('clearwing', () => {
  it.each([['help'], ['--help'], ['-h']])('lists every command for %s', async (argument) => {
    const { status, stdout, stderr } = await clearwing(argument);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const name of [...commands.keys(), 'help', 'version']) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it.each([['version'], ['--version']])('prints its version for %s', async (argument) => {
    expect(await clearwing(argument)).toMatchObject({ status: 0, stdout: `clearwing ${version}\n`, stderr: '' });
  });

  it('lists the commands and fails when it is given none', async () => {
    const { status, stdout, stderr } = await clearwing();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('Usage: clearwing <command> [options]');
  });

  it('suggests the command that was meant', async () => {
    const { status, stdout, stderr } = await clearwing('subscribe', '-t', 'a');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      "clearwing: there is no command 'subscribe'; did you mean 'sub'?\n'clearwing help' lists the commands.\n",
    );
  });

  it('suggests nothing where nothing is near', async () => {
    const { status, stderr } = await clearwing('dance');
    expect(status).toBe(1);
    expect(stderr).toBe("clearwing: there is no command 'dance'\n'clearwing help' lists the commands.\n");
  });

  it('asks for a command when it is given an option first', async () => {
    const { status, stderr } = await clearwing('-t', 'a');
    expect(status).toBe(1);
    expect(stderr).toContain("the first argument must be a command, not the option '-t'");
  });

  it.each(['constructor', 'toString', '__proto__', ''])('knows no command %j', async (name) => {
    const { status, stderr } = await clearwing(name);
    expect(status).toBe(1);
    expect(stderr).toContain(`there is no command '${name}'`);
  });

  it.each([...commands.keys()])('gives the help of %s alike after `help` and with `--help`', async (name) => {
    const helped = await clearwing('help', name);
    expect(helped).toEqual(await clearwing(name, '--help'));
    expect(helped.stdout).toContain(name);
  });

  it('ends quietly when nobody reads what it prints', async () => {
    const program = start(process.execPath, [clearwingMain, 'help']);
    program.process.stdout!.destroy();
    const { status, stderr } = await program.finished;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('a link to clearwing', () => {
  let directory: string;
  const link = (name: string) => join(directory, name);

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'clearwing-links-'));
    for (const { classicName } of commands.values())
      if (classicName !== undefined) symlinkSync(clearwingMain, link(classicName));
    symlinkSync(clearwingMain, link('clearwing'));
    symlinkSync(link('mosquitto_pub'), link('mosquitto_sub.mjs'));
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('is clearwing itself by the name of clearwing, which is how npm installs it', async () => {
    expect(await run(link('clearwing'), ['version'])).toMatchObject({ status: 0, stdout: `clearwing ${version}\n` });
  });

  it.each([
    ['mosquitto', 'broker', 3],
    ['mosquitto_pub', 'pub', 1],
    ['mosquitto_sub', 'sub', 1],
    ['mosquitto_rr', 'rr', 1],
    ['mosquitto_passwd', 'passwd', 1],
  ])('named %s behaves as %s, with status %d for --help, as the classic program', async (classicName, name, status) => {
    const byLink = await run(link(classicName), ['--help']);
    const byCommand = await clearwing(name, '--help');
    expect(byLink.status).toBe(status);
    expect(byCommand.status).toBe(0);
    const alike = (text: string) => text.replaceAll(`clearwing ${name}`, classicName);
    expect(alike(byLink.stdout)).toBe(alike(byCommand.stdout));
    expect(alike(byLink.stderr)).toBe(alike(byCommand.stderr));
    expect(byLink.stdout + byLink.stderr).toContain(classicName);
  });

  it('goes by its own name, not by that of the link it points to', async () => {
    const { stdout, stderr } = await run(link('mosquitto_sub.mjs'), ['--help']);
    expect(stdout + stderr).toContain('mosquitto_sub');
  });

  it('takes a first argument that is the name of a command as an argument', async () => {
    const { status, stdout } = await run(link('mosquitto_pub'), ['version']);
    expect(status).not.toBe(0);
    expect(stdout).not.toContain(`clearwing ${version}\n`);
  });
});
