/** Adds a value to a statement's parameters and returns its placeholder. */
export type Parameter = (value: unknown) => string;

/** Columns with their SQL types. */
export type Columns = Readonly<Record<string, string>>;

/**
 * Rows as a FROM item named `v`. Many are one JSON parameter, so that the statement's text stays the same whatever their number;
 * a single one, the usual batch, is its plain values, which the planner folds away: half the planning time of such a statement.
 */
export function rowSource<C extends Columns>(
  columns: C,
  rows: readonly { readonly [K in keyof C]: unknown }[],
  parameter: Parameter,
): string {
  const [row] = rows;
  if (rows.length === 1 && row !== undefined) {
    const values = Object.entries(columns).map(([name, type]) => {
      const value = row[name];
      const json = type === 'jsonb' && value !== null && value !== undefined;
      return `${parameter(json ? JSON.stringify(value) : (value ?? null))}::${type} as ${name}`;
    });
    return `(select ${values.join(', ')}) as v`;
  }
  const types = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
  return `json_to_recordset(${parameter(JSON.stringify(rows))}::json) as v (${types.join(', ')})`;
}

/**
 * The condition that a row of `table` is one of them. Where they are many it says beside the join what the join alone hides
 * from the planner, which takes every function for 100 rows: how many there are. Without it a small batch reads a small table
 * whole.
 */
export function isOneOf<C extends Columns>(
  table: string,
  key: keyof C & string,
  columns: C,
  rows: readonly { readonly [K in keyof C]: unknown }[],
  parameter: Parameter,
): string {
  const joined = `${table}.${key} = v.${key}`;
  if (rows.length === 1) return joined;
  const keys = parameter(rows.map((row) => row[key]));
  return `${joined} and ${table}.${key} = any(${keys}::${columns[key]}[])`;
}
