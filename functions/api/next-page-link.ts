/**
 * A bare list has no place to say that it goes on but its headers: a `Link` to the next page (RFC 8288), also where the page
 * ends before its limit because an answer can carry no more.
 */
export function nextPageLink(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): Record<string, string> {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return { Link: `<${path}?${new URLSearchParams(given)}>; rel="next"` };
}
