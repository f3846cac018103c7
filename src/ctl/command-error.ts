/** A command cannot be carried out; the text says why. */
export class CommandError extends Error {}
