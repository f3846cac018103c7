/** For what only the end of the program ends. */
export const never = new AbortController().signal;
