import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { open, readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import { Deployment } from '../e2e/deployment.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { writeConfiguration } from '../support/configuration.js';
import { Program, type Exit } from '../support/program.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { SocketGateway } from '../support/socket-gateway.js';
import type { TicketInfo } from '../support/vdsm.js';

const program = join(projectRoot, 'dist', 'ctl', 'main.js');

interface Outcome extends Exit {
  readonly lines: readonly string[];
}

describe('ovirt-imageioctl', () => {
  let deployment: Deployment;
  let ticketFile: string;
  before(async () => {
    deployment = await Deployment.start();
    const image = deployment.folder.file('image.raw');
    await writeFile(image, Buffer.alloc(MiB, 'x'));
    ticketFile = deployment.folder.file('ticket.json');
    const ticket = {
      uuid: 't1',
      size: MiB,
      ops: ['read'],
      timeout: 300,
      url: `file://${image}`,
      transfer_id: 'x',
    };
    await writeFile(ticketFile, JSON.stringify(ticket));
  });
  after(() => deployment[Symbol.asyncDispose]());

  const start = (...args: string[]): Promise<Program> => startWithInput(undefined, ...args);
  const startWithInput = (input: string | undefined, ...args: string[]): Promise<Program> =>
    Program.start(
      pinnedNode,
      [program, '-c', deployment.folder.file('daemon'), ...args],
      input === undefined ? {} : { input },
    );
  const runWithInput = async (input: string, ...args: string[]): Promise<Outcome> => {
    const started = await startWithInput(input, ...args);
    return { ...(await started.waitForExit()), lines: started.lines };
  };
  const run = async (...args: string[]): Promise<Outcome> => {
    const started = await start(...args);
    return { ...(await started.waitForExit()), lines: started.lines };
  };
  const runWell = async (...args: string[]): Promise<readonly string[]> => {
    const { code, lines } = await run(...args);
    assert.equal(code, 0, lines.join('\n'));
    return lines;
  };

  test('adds a ticket without a word', async () => {
    assert.deepEqual(await runWell('add-ticket', ticketFile), []);
    assert.equal((await deployment.daemon.vdsm.getTicket('t1')).transfer_id, 'x');
  });

  test('shows a ticket as indented JSON to programs, and line by line when asked to', async () => {
    const text = (await runWell('show-ticket', 't1')).join('\n');
    const shown = JSON.parse(text) as TicketInfo;
    assert.equal(text, JSON.stringify(shown, undefined, 2));
    // What passes by itself is as old as the two questions are apart.
    const ticket = await deployment.daemon.vdsm.getTicket('t1');
    assert.deepEqual({ ...shown, idle_time: 0 }, { ...ticket, idle_time: 0 });
    assert.deepEqual(
      Object.keys(JSON.parse((await runWell('show-ticket', 't1', '-o', 'json')).join('\n')) as TicketInfo),
      Object.keys(shown),
    );
    const lines = await runWell('show-ticket', 't1', '--output', 'text');
    assert.ok(lines.includes(`size:               ${MiB}`), lines.join('\n'));
  });

  test('shows a ticket line by line on a terminal', { skip: needs('script') }, async () => {
    const command = [pinnedNode, program, '-c', deployment.folder.file('daemon'), 'show-ticket', 't1'];
    const terminal = await Program.start('script', ['-qec', command.join(' '), '/dev/null']);
    assert.deepEqual(await terminal.waitForExit(), { code: 0, signal: null });
    const lines = terminal.lines.map((line) => line.trimEnd());
    assert.ok(lines.includes(`size:               ${MiB}`), lines.join('\n'));
  });

  test('shows sizes that no number holds with all their digits', async () => {
    const json =
      '{"uuid":"huge","size":18446744073709551615,"ops":["read"],"timeout":9,"url":"file:///none"}';
    await deployment.daemon.vdsm.addTicket(json);
    assert.ok((await runWell('show-ticket', 'huge')).includes('  "size": 18446744073709551615,'));
    await deployment.daemon.vdsm.removeTicket('huge');
  });

  test('lists tickets in a table with their progress, and as JSON', async () => {
    const client = new ImagesClient(deployment.daemon.address('remote'));
    await client.request('GET', imagePath('t1'), { headers: { Range: `bytes=0-${MiB / 2 - 1}` } });
    client.close();
    const [titles, line, ...more] = await runWell('list-tickets');
    assert.match(titles!, /^ID +TRANSFER +OPS +SIZE +PROGRESS/);
    assert.match(line!, /^t1 +x +read +1 MiB +\[#{10}\.{10}\] +50 % +idle/);
    assert.deepEqual(more, []);
    const list = JSON.parse((await runWell('list-tickets', '-o', 'json')).join('\n')) as TicketInfo[];
    assert.deepEqual(
      list.map(({ uuid, transferred }) => [uuid, transferred]),
      [['t1', MiB / 2]],
    );
  });

  for (const [kind, hidesEvents, asked] of [
    ['by events', false, /^\/tickets\/events$/],
    ['by asking again, where there are no events', true, /^\/tickets\/events(,\/tickets){2,}$/],
  ] as const) {
    test(`watches tickets until it is interrupted, ${kind}`, async () => {
      const { vdsm } = deployment.daemon;
      const control = deployment.daemon.address('control');
      assert.ok(control.kind === 'unix');
      const path = deployment.folder.file(`${hidesEvents}.sock`);
      await using gateway = await SocketGateway.open({ target: control.path, path, hidesEvents });
      const confDir = deployment.folder.file(`watch-${hidesEvents}`);
      await writeConfiguration(confDir, { control: { transport: 'unix', socket: path } });
      const args = ['list-tickets', '--watch', '--interval', '1', '-o', 'json'];
      const watching = await Program.start(pinnedNode, [program, '-c', confDir, ...args]);
      const list = (what: string, ids: readonly string[]): Promise<readonly TicketInfo[]> =>
        watching.waitForLine((line) => {
          const all = JSON.parse(line) as readonly TicketInfo[];
          return String(all.map(({ uuid }) => uuid)) === String(ids) ? all : undefined;
        }, what);
      assert.equal((await list('the first list', ['t1']))[0]?.transfer_id, 'x');
      const ticket = { size: 1, ops: ['read'], timeout: 90, url: 'file:///none' } as const;
      await vdsm.addTicket({ ...ticket, uuid: 't2' });
      await list('a list with the new ticket', ['t1', 't2']);
      await vdsm.removeTicket('t2');
      watching.lines.length = 0;
      const [left] = await list('a list without it', ['t1']);
      const { idle_time: idle } = await vdsm.getTicket('t1');
      assert.ok(left && left.idle_time <= idle, `idle for ${left?.idle_time} s, then ${idle} s`);
      assert.deepEqual(await watching.stop('SIGINT'), { code: 0, signal: null });
      assert.match(gateway.passed.map(({ path: each }) => each).join(), asked);
    });
  }

  test('says that the service has gone while it watches', async () => {
    await using other = await DaemonUnderTest.start();
    const watching = await Program.start(pinnedNode, [
      ...[program, '-c', other.folder.file('daemon'), 'list-tickets', '-w'],
    ]);
    await watching.waitForLine((line) => (line.startsWith('ID') ? true : undefined), 'the first list');
    await other.daemon.program.kill();
    const { code } = await watching.waitForExit();
    assert.equal(code, 3);
    assert.match(watching.lines.at(-1) ?? '', /^ovirt-imageioctl: cannot reach the service: .*ECONNREFUSED/);
  });

  test('extends a ticket', async () => {
    const { expires } = await deployment.daemon.vdsm.getTicket('t1');
    assert.deepEqual(await runWell('mod-ticket', 't1', '--timeout', '5000'), []);
    assert.ok((await deployment.daemon.vdsm.getTicket('t1')).expires >= expires + 4000);
  });

  test('removes a ticket, and says so when there is none to remove', async () => {
    assert.deepEqual(await runWell('del-ticket', 't1'), []);
    assert.deepEqual(await deployment.daemon.vdsm.listTickets(), []);
    const { code, lines } = await run('del-ticket', 't1');
    assert.equal(code, 1);
    assert.deepEqual(lines, ['ovirt-imageioctl: No such ticket "t1"']);
  });

  test('reads the id of a ticket from the standard input', async () => {
    const ticket = { size: 1, ops: ['read'], timeout: 9, url: 'file:///none' } as const;
    await deployment.daemon.vdsm.addTicket({ ...ticket, uuid: 'secret' });
    await deployment.daemon.vdsm.addTicket({ ...ticket, uuid: '-' });
    const { expires } = await deployment.daemon.vdsm.getTicket('secret');
    const shown = await runWithInput('secret\n', 'show-ticket', '-');
    assert.equal((JSON.parse(shown.lines.join('\n')) as TicketInfo).uuid, 'secret');
    for (const [input, ...args] of [
      ['secret', 'mod-ticket', '-', '--timeout', '5000'],
      ['secret\r\n', 'del-ticket', '-'],
    ] as const) {
      const { code, lines } = await runWithInput(input, ...args);
      assert.deepEqual([code, lines], [0, []]);
      if (args[0] === 'mod-ticket')
        assert.ok((await deployment.daemon.vdsm.getTicket('secret')).expires >= expires + 4000);
    }
    const left = await deployment.daemon.vdsm.listTickets();
    assert.deepEqual(
      left.map(({ uuid }) => uuid),
      ['-'],
    );
    assert.equal((await runWithInput('-\n', 'del-ticket', '-')).code, 0);
  });

  for (const [what, input, reason] of [
    ['nothing', '', 'has no ticket id'],
    ['an empty line', '\n', 'has no ticket id'],
    ['two lines', 't1\nt2\n', 'has more than the one line of a ticket id'],
  ] as const) {
    test(`refuses ${what} where an id is read, and says so in one line`, async () => {
      for (const args of [
        ['show-ticket', '-'],
        ['mod-ticket', '-', '--timeout', '9'],
        ['del-ticket', '-'],
      ]) {
        const { code, lines } = await runWithInput(input, ...args);
        assert.deepEqual([code, lines], [1, [`ovirt-imageioctl: the standard input ${reason}`]]);
      }
    });
  }

  test('stops reading an input that does not end', async () => {
    const shell = ['-c', '"$@" < /dev/zero', 'sh', pinnedNode, program, 'show-ticket', '-'];
    const endless = await Program.start('sh', shell);
    assert.deepEqual(await endless.waitForExit(), { code: 1, signal: null });
    assert.deepEqual(endless.lines, [`ovirt-imageioctl: the standard input has more than ${MiB} bytes`]);
    const { code, lines } = await run('add-ticket', '/dev/zero');
    assert.deepEqual([code, lines], [1, [`ovirt-imageioctl: /dev/zero has more than ${MiB} bytes`]]);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`is ended by the first ${signal} where nothing is watched`, async () => {
      const pipe = deployment.folder.file(`${signal}.pipe`);
      execFileSync('mkfifo', [pipe]);
      const waiting = await start('add-ticket', pipe);
      // Opens when the other end does.
      const writer = await open(pipe, 'w');
      assert.deepEqual(await waiting.stop(signal), { code: null, signal });
      await writer.close();
    });
  }

  test('finds the control socket of a proxy', async () => {
    const { code, lines } = await run(
      '-c',
      deployment.folder.file('proxy'),
      '--role',
      'proxy',
      'list-tickets',
    );
    assert.equal(code, 0, lines.join('\n'));
    assert.equal(lines.length, 1);
  });

  test('signs a ticket that a proxy opens a session for', async () => {
    const key = deployment.folder.file('engine.key');
    const cert = deployment.folder.file('engine.pem');
    const [ticket, ...more] = await runWell(
      ...['sign-ticket', randomUUID(), '--imaged-uri', deployment.daemon.url, '--key', key, '--cert', cert],
    );
    assert.deepEqual(more, []);
    const client = new ImagesClient(deployment.proxy.address('remote'));
    const answer = await client.request('POST', '/sessions', { headers: { Authorization: ticket } });
    client.close();
    assert.equal(answer.status, 200, answer.text);
  });

  test('signs a ticket whose id it reads from the standard input', async () => {
    const key = deployment.folder.file('engine.key');
    const cert = deployment.folder.file('engine.pem');
    const { lines } = await runWithInput(
      'secret\n',
      ...['sign-ticket', '-', '--imaged-uri', deployment.daemon.url, '--key', key, '--cert', cert],
    );
    const { data } = JSON.parse(Buffer.from(lines.join('\n'), 'base64').toString()) as { data: string };
    assert.equal((JSON.parse(data) as Record<string, unknown>)['transfer-ticket'], 'secret');
  });

  const failures: readonly { name: string; args: () => readonly string[]; code: number; text: RegExp }[] = [
    {
      name: 'a ticket that does not exist',
      args: () => ['show-ticket', 'none'],
      code: 1,
      text: /^ovirt-imageioctl: No such ticket "none"$/,
    },
    {
      name: 'a file that does not exist',
      args: () => ['add-ticket', '/nonexistent.json'],
      code: 1,
      text: /^ovirt-imageioctl: \/nonexistent\.json: ENOENT/,
    },
    {
      name: 'a file that is no ticket',
      args: () => ['add-ticket', join(projectRoot, 'LICENSE')],
      code: 1,
      text: /LICENSE: not valid JSON$/,
    },
    {
      name: 'a ticket that the service refuses',
      args: () => ['add-ticket', join(projectRoot, 'package.json')],
      code: 1,
      text: /package\.json: not a ticket: it must be a JSON object with a "uuid"$/,
    },
    {
      name: 'a key that is none',
      args: () => [
        'sign-ticket',
        't',
        '--imaged-uri',
        'https://h',
        '--key',
        ticketFile,
        '--cert',
        ticketFile,
      ],
      code: 1,
      text: /^ovirt-imageioctl: cannot sign: /,
    },
    {
      name: 'a folder without configuration',
      args: () => ['-c', deployment.folder.path, 'list-tickets'],
      code: 1,
      text: /^ovirt-imageioctl: no configuration file matches /,
    },
    {
      name: 'a profiler, without asking any service',
      args: () => ['start-profile', '-c', '/nonexistent'],
      code: 1,
      text: /^ovirt-imageioctl: there is no profiler to start or stop; .*--cpu-prof/,
    },
    { name: 'wrong usage', args: () => ['mod-ticket', 't1'], code: 2, text: /--timeout is required$/ },
  ];
  for (const { name, args, code, text } of failures) {
    test(`ends with ${code} and one line for ${name}`, async () => {
      const outcome = await run(...args());
      assert.equal(outcome.code, code, outcome.lines.join('\n'));
      assert.match(outcome.lines[0]!, text);
    });
  }

  test('ends with 3 where no service is', async () => {
    const confDir = deployment.folder.file('away');
    await writeConfiguration(confDir, { control: { socket: deployment.folder.file('away.sock') } });
    const { code, lines } = await run('-c', confDir, 'list-tickets');
    assert.equal(code, 3);
    assert.match(lines.join('\n'), /^ovirt-imageioctl: cannot reach the service: connect ENOENT /);
  });

  test('prints its version', async () => {
    const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await runWell('--version'), [version]);
  });
});
