package draw

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// plotlySource is the address of the plotly.js that GoNB's own plotly package loads. The environment variable
// BFPO_PLOTLY replaces it, by a local copy for example.
const plotlySource = "https://cdn.plot.ly/plotly-2.34.0.min.js"

// plotlyFigure returns a figure with the surfaces side by side, to be written as JSON.
func plotlyFigure(surfaces []Surface) map[string]any {
	var data []any
	layout := map[string]any{"height": 420, "margin": map[string]int{"l": 0, "r": 0, "t": 30, "b": 0}}
	var titles []any
	for i, s := range surfaces {
		scene := "scene"
		if i > 0 {
			scene += strconv.Itoa(i + 1)
		}
		left, right := float64(i)/float64(len(surfaces)), float64(i+1)/float64(len(surfaces))
		data = append(data, map[string]any{
			"type": "surface", "x": s.XS, "y": s.YS, "z": roundValues(s.Values), "scene": scene,
			"showscale": false, "colorscale": "Viridis",
			"hovertemplate": s.X + " %{x:.1f}<br>" + s.Y + " %{y:.1f}<br>" + s.Z + " %{z:.3g}<extra></extra>",
		})
		axis := func(title string) map[string]any { // in small type, since three figures share the page
			small := map[string]int{"size": 10}
			return map[string]any{"title": map[string]any{"text": title, "font": small}, "tickfont": small, "nticks": 5}
		}
		layout[scene] = map[string]any{
			"domain": map[string][2]float64{"x": {left, right}}, "xaxis": axis(s.X), "yaxis": axis(s.Y), "zaxis": axis(s.Z),
			"camera": map[string]any{"eye": map[string]float64{"x": 2.4, "y": -2.4, "z": 1.4}},
		}
		titles = append(titles, map[string]any{
			"text": s.Title, "x": (left + right) / 2, "y": 1,
			"xref": "paper", "yref": "paper", "yanchor": "bottom", "showarrow": false,
		})
	}
	layout["annotations"] = titles
	return map[string]any{"data": data, "layout": layout}
}

// roundValues rounds to three significant digits, as many as a figure shows. JSON has no infinite values, so they
// become 0.
func roundValues(values [][]float64) [][]float64 {
	out := make([][]float64, len(values))
	for i, row := range values {
		out[i] = make([]float64, len(row))
		for j, v := range row {
			out[i][j], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
			if math.IsInf(v, 0) || math.IsNaN(v) {
				out[i][j] = 0
			}
		}
	}
	return out
}

// plotlyHTML returns an empty element and a script that draws the figure in it. The script loads plotly.js once for all
// figures. A page that runs no scripts or cannot load plotly.js shows nothing here; the maps above have the same data.
func plotlyHTML(id, figure, source string) string {
	script := `(() => {
const figure = FIGURE;
const load = () => {
  if (typeof requirejs === "function") return new Promise((done, fail) => requirejs(["SOURCE"], done, fail));
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = "SOURCE";
    script.onload = () => done(window.Plotly);
    script.onerror = fail;
    document.head.appendChild(script);
  });
};
window.bfpoPlotly ??= window.Plotly ? Promise.resolve(window.Plotly) : load();
window.bfpoPlotly.then(plotly => plotly.newPlot(document.getElementById("ID"), figure.data, figure.layout,
  {responsive: true, displaylogo: false}), () => {});
})();`
	script = strings.NewReplacer("FIGURE", figure, "SOURCE", source, "ID", id).Replace(script)
	return fmt.Sprintf("<div id=%q></div>\n<script>%s</script>", id, script)
}
