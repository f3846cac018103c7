import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { buildConfig } from './build-config.js';
import { checkRelations, insecureChoices } from './config-relations.js';
import type { Role } from './role.js';

const certificates = { 'tls.key_file': '/key.pem', 'tls.cert_file': '/cert.pem' };

function build(role: Role, options: Record<string, string>) {
  const settings = Object.entries(options).map(([name, value]) => {
    const [section = '', option = ''] = name.split('.');
    return { section, option, value, origin: `f:${name}` };
  });
  return buildConfig(role, settings);
}

function problems(role: Role, options: Record<string, string>): string[] {
  const { config, originOf } = build(role, options);
  return checkRelations(config, role, originOf).map(
    ({ section, option }) => `${String(section)}.${String(option)}`,
  );
}

function warnings(role: Role, options: Record<string, string>): string[] {
  return insecureChoices(build(role, options).config, role);
}

describe('checkRelations', () => {
  test('finds nothing wrong with the defaults and certificates', () => {
    assert.deepEqual(problems('daemon', certificates), []);
    assert.deepEqual(problems('proxy', certificates), []);
  });

  test('wants key and certificate while TLS is on', () => {
    assert.deepEqual(problems('daemon', {}), ['tls.key_file', 'tls.cert_file']);
    assert.deepEqual(problems('daemon', { ...certificates, 'tls.key_file': '' }), ['tls.key_file']);
    assert.deepEqual(problems('daemon', { 'tls.enable': 'false' }), []);
  });

  test('says where the value was set', () => {
    const { config, originOf } = build('daemon', { ...certificates, 'tls.key_file': '' });
    assert.deepEqual(
      checkRelations(config, 'daemon', originOf).map(({ origin }) => origin),
      ['f:tls.key_file'],
    );
  });

  test('wants a name for the control socket', () => {
    const options = { ...certificates, 'control.socket': '' };
    assert.deepEqual(problems('daemon', options), ['control.socket']);
    assert.deepEqual(problems('daemon', { ...options, 'control.transport': 'tcp' }), []);
    assert.deepEqual(problems('daemon', { ...options, 'control.enable': 'no' }), []);
  });

  test('wants room for one answer with a digest, unless it fits into any buffer', () => {
    const pool = { ...certificates, 'limits.digest_pool_bytes': '9437184' };
    assert.deepEqual(problems('daemon', pool), ['limits.digest_pool_bytes']);
    assert.deepEqual(problems('daemon', { ...pool, 'limits.digest_pool_bytes': '9600000' }), []);
    for (const bytes of ['0', '1048576'])
      assert.deepEqual(problems('daemon', { ...pool, 'limits.digest_range_bytes': bytes }), []);
  });

  test('keeps the control socket apart from the local one', () => {
    const options = { ...certificates, 'control.socket': '/run/s', 'local.socket': '/run/s' };
    assert.deepEqual(problems('daemon', options), ['control.socket']);
    assert.deepEqual(problems('daemon', { ...options, 'local.enable': 'no' }), []);
  });

  test('wants headers sooner than the end of a silent connection', () => {
    const options = { ...certificates, 'limits.headers_timeout_sec': '5' };
    assert.deepEqual(problems('daemon', { ...options, 'limits.unauthorised_silence_sec': '5' }), []);
    assert.deepEqual(problems('daemon', { ...options, 'limits.unauthorised_silence_sec': '4' }), [
      'limits.headers_timeout_sec',
    ]);
  });

  test('wants a buffer pool that one transfer fits in, blocks around its buffers included', () => {
    const options = { ...certificates, 'limits.buffer_bytes': '1048576', 'limits.buffers_per_transfer': '2' };
    const needed = 2 * (1048576 + 2 * 4096);
    assert.deepEqual(problems('daemon', { ...options, 'limits.buffer_pool_bytes': String(needed) }), []);
    assert.deepEqual(problems('daemon', { ...options, 'limits.buffer_pool_bytes': String(needed - 1) }), [
      'limits.buffer_pool_bytes',
    ]);
  });

  test('wants no more of the relay buffers for one ticket than there are', () => {
    const options = { ...certificates, 'limits.relay_buffer_bytes': '1048576' };
    const perTicket = 'limits.relay_buffer_bytes_per_ticket';
    assert.deepEqual(problems('proxy', { ...options, [perTicket]: '1048576' }), []);
    assert.deepEqual(problems('proxy', { ...options, [perTicket]: '1048577' }), [perTicket]);
    assert.deepEqual(problems('proxy', options), [perTicket]);
  });

  test('wants clients that do nothing to give way before those who wait are refused', () => {
    const options = { ...certificates, 'limits.buffer_wait_sec': '3' };
    assert.deepEqual(problems('daemon', { ...options, 'limits.buffer_stall_sec': '2.9' }), []);
    assert.deepEqual(problems('daemon', { ...options, 'limits.buffer_stall_sec': '3' }), [
      'limits.buffer_stall_sec',
    ]);
  });

  test('wants the authority of the engine in a proxy that verifies its certificate', () => {
    const options = { ...certificates, 'proxy.engine_cert_file': '/engine.pem' };
    assert.deepEqual(problems('proxy', options), ['proxy.engine_ca_cert_file']);
    assert.deepEqual(problems('proxy', { ...options, 'proxy.engine_ca_cert_file': '/ca.pem' }), []);
    assert.deepEqual(problems('proxy', { ...options, 'proxy.verify_certificate': 'no' }), []);
    assert.deepEqual(problems('proxy', { ...options, 'proxy.signed_proxy_ticket': 'no' }), []);
    assert.deepEqual(problems('daemon', options), []);
  });
});

describe('insecureChoices', () => {
  test('has nothing to say about the defaults', () => {
    assert.deepEqual(warnings('daemon', certificates), []);
    assert.deepEqual(warnings('proxy', certificates), []);
  });

  for (const [role, option, value, expected] of [
    ['daemon', 'tls.enable', 'no', /^\[tls\] enable is false/],
    ['daemon', 'control.socket', '\\u0000name', /^\[control\] socket is abstract/],
    ['daemon', 'control.transport', 'tcp', /^\[control\] transport is tcp: every user/],
    ['proxy', 'proxy.signed_proxy_ticket', 'no', /^\[proxy\] signed_proxy_ticket is false/],
    ['proxy', 'proxy.verify_certificate', 'no', /^\[proxy\] verify_certificate is false/],
  ] as const) {
    test(`warns about ${option} = ${value} in the ${role}`, () => {
      const [warning = '', ...others] = warnings(role, { [option]: value });
      assert.match(warning, expected);
      assert.deepEqual(others, []);
    });
  }

  test('does not bother a daemon with options of the proxy', () => {
    assert.deepEqual(
      warnings('daemon', { 'proxy.signed_proxy_ticket': 'no', 'proxy.verify_certificate': 'no' }),
      [],
    );
  });
});
