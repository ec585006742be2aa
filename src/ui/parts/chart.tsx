/** Small charts, drawn as they are: no library has to come over the wire for a line. */

interface ChartProps {
  /** What is drawn: "Packets a second". */
  readonly title: string;
  readonly values: readonly number[];
}

const [WIDTH, HEIGHT] = [240, 48];

export function Chart({ title, values }: ChartProps) {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const y = (value: number): number => HEIGHT - 2 - (value / most) * (HEIGHT - 6);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${y(value).toFixed(1)}`);
  const now = values.at(-1) ?? 0;
  const said = now >= 10 ? Math.round(now).toLocaleString("en") : now.toFixed(1);
  return (
    <figure class="chart">
      <figcaption>
        {title} <strong>{said}</strong>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" preserveAspectRatio="none">
        <title>{`${title}: now ${said}, at most ${Math.round(most)} in the last minutes`}</title>
        <line x1="0" y1={HEIGHT - 2} x2={WIDTH} y2={HEIGHT - 2} class="axis" />
        {points.length > 1 ? <polyline points={points.join(" ")} class="curve" /> : null}
      </svg>
    </figure>
  );
}
