import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { noNewInjectable } from './scripts/no-new-injectable.mjs';

export default tseslint.config(
  {
    ignores: [
      '**/dist',
      '.build',
      '.demo',
      '.tools',
      'node_modules',
      '**/*.cjs',
      'sdk/typescript/src/generated',
    ],
  },
  js.configs.recommended,
  {
    // The formatter breaks code at this width, but neither comments nor strings.
    files: ['**/*.ts', '**/*.mjs', '**/*.js'],
    rules: { 'max-len': ['error', { code: 110, ignoreUrls: true }] },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './sdk/typescript/tsconfig.json', './page/tsconfig.json'],
      },
    },
    rules: {
      // Nest modules are classes whose whole content is their decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // Numbers and booleans in messages read as they are.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A Promise-returning interface method may have nothing to wait for in one implementation.
      '@typescript-eslint/require-await': 'off',
      // DTOs are classes for their decorators; responses of their shape are plain literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/*.conformance.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          // V8 takes it for a method that lasts.
          selector:
            "AssignmentExpression[left.type='MemberExpression'] > " +
            ':matches(ArrowFunctionExpression, FunctionExpression).right',
          message:
            'V8 makes a function that is written here among its old objects, and all that it leads to ' +
            'stays in memory until a collection of the whole heap: give it a name first.',
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    ignores: ['**/*.module.ts', '**/*.spec.ts', '**/*.conformance.ts'],
    plugins: { imageio: { rules: { 'no-new-injectable': noNewInjectable } } },
    rules: { 'imageio/no-new-injectable': 'error' },
  },
  {
    files: ['test/**/*.ts', '**/*.spec.ts', '**/*.conformance.ts'],
    rules: {
      // node:test's test() returns a promise that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'describe', 'it', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['scripts/**/*.mjs', 'packaging/**/*.mjs', '*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        fetch: 'readonly',
        AbortSignal: 'readonly',
        Buffer: 'readonly',
      },
    },
  },
);
