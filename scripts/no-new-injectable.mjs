// An ESLint rule: what a module provides is made by its module. A class with @Injectable() that somebody
// makes with `new` elsewhere would be a second one, with dependencies of its own.
import ts from 'typescript';

/** @type {import('eslint').Rule.RuleModule} */
export const noNewInjectable = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { made: '{{name}} is a provider: inject it instead of making another one.' },
  },
  create(context) {
    const { getTypeAtLocation } = context.sourceCode.parserServices;
    return {
      NewExpression(node) {
        const symbol = getTypeAtLocation(node).getSymbol();
        if (!symbol?.declarations?.some(isInjectable)) return;
        context.report({ node, messageId: 'made', data: { name: symbol.name } });
      },
    };
  },
};

function isInjectable(declaration) {
  if (!ts.isClassDeclaration(declaration)) return false;
  return (ts.getDecorators(declaration) ?? []).some(
    ({ expression }) => ts.isCallExpression(expression) && expression.expression.getText() === 'Injectable',
  );
}
