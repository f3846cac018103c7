// helm test: exits with 0 when every address of every NAME:PORT answers to GET /info by HTTPS. Certificates
// are not verified: the test knows pods by their addresses, and certificates have the names by which clients
// call them.
import { lookup } from 'node:dns/promises';
import { request } from 'node:https';

const targets = process.argv.slice(2);
let failures = targets.length === 0 ? 1 : 0;
for (const target of targets) {
  const [, name, port] = /^(.+):(\d+)$/.exec(target) ?? [];
  const addresses = await lookup(name, { all: true }).catch((error) => fail(target, error.message) ?? []);
  for (const { address } of addresses) {
    const outcome = await ask(address, port).catch((error) => error.message);
    if (outcome === 200) console.log(`${target} at ${address} answers`);
    else fail(`${target} at ${address}`, outcome);
  }
}
process.exitCode = failures === 0 ? 0 : 1;

function fail(place, reason) {
  failures += 1;
  console.error(`${place}: ${reason}`);
}

function ask(host, port) {
  const timeout = AbortSignal.timeout(10_000);
  return new Promise((resolve, reject) => {
    request({ host, port, path: '/info', rejectUnauthorized: false, signal: timeout }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
