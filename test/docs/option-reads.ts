import ts from 'typescript';
import { join } from 'node:path';
import { projectRoot } from '../support/project.js';

/** The code of these files, and of all that they import, with its types. */
export function typedProgram(files: readonly string[]): ts.Program {
  const file = join(projectRoot, 'tsconfig.json');
  const config: unknown = ts.readConfigFile(file, (path) => ts.sys.readFile(path)).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, projectRoot);
  return ts.createProgram(files, options);
}

/**
 * The options that the code of some files reads, by `[section] property`: the value of a
 * section has a property for each, whose declaration is the line of the section's table,
 * whatever types it has passed through.
 */
export function readOptions(program: ts.Program, isReader: (file: string) => boolean): Set<string> {
  const checker = program.getTypeChecker();
  const read = new Set<string>();
  const visit = (node: ts.Node): void => {
    for (const declaration of propertyRead(checker, node)?.declarations ?? []) {
      const option = optionOf(declaration);
      if (option !== undefined) read.add(option);
    }
    ts.forEachChild(node, visit);
  };
  for (const file of program.getSourceFiles()) if (isReader(file.fileName)) visit(file);
  return read;
}

/** The property that `x.property` or `const { property } = x` reads. */
function propertyRead(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  if (ts.isPropertyAccessExpression(node)) return checker.getSymbolAtLocation(node.name);
  if (!ts.isBindingElement(node) || !ts.isObjectBindingPattern(node.parent)) return undefined;
  const name = node.propertyName ?? node.name;
  return ts.isIdentifier(name) ? checker.getTypeAtLocation(node.parent).getProperty(name.text) : undefined;
}

/** The option that a line of `defineSection({ name, options: { property: … } })` declares. */
function optionOf(declaration: ts.Declaration): string | undefined {
  if (!ts.isPropertyAssignment(declaration) || !ts.isIdentifier(declaration.name)) return undefined;
  const options = declaration.parent.parent;
  if (!ts.isPropertyAssignment(options) || options.name.getText() !== 'options') return undefined;
  const section = options.parent;
  if (!ts.isCallExpression(section.parent)) return undefined;
  if (section.parent.expression.getText() !== 'defineSection') return undefined;
  const name = section.properties.find((property) => property.name?.getText() === 'name');
  if (name === undefined || !ts.isPropertyAssignment(name) || !ts.isStringLiteral(name.initializer))
    return undefined;
  return `[${name.initializer.text}] ${declaration.name.text}`;
}
