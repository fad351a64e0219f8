/** The version in package.json, which bundles do not carry. */
export const version = '0.1.0';
