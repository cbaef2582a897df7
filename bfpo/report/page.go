package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"maps"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

//go:embed report.css
var reportStyle string

// Page is a self-contained HTML page in the report's style: one file that loads nothing.
type Page struct {
	// Source is an html/template. Its functions style, script and policy return the CSS, the JavaScript and the
	// content security policy, which the template has to place.
	Source string
	Style  string           // CSS, after the report's own
	Script string           // JavaScript; may be empty
	Funcs  template.FuncMap // more functions for Source
}

// Write executes the template on data and writes the page, atomically.
func (p Page) Write(path string, data any) error {
	funcs := template.FuncMap{
		"style":  func() template.CSS { return template.CSS(reportStyle + p.Style) },
		"script": func() template.JS { return template.JS(p.Script) },
		"policy": p.policy,
	}
	maps.Copy(funcs, p.Funcs)
	page, err := template.New("page").Funcs(funcs).Parse(p.Source)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return page.Execute(w, data) })
}

// policy returns a content security policy that allows the page's own style and script, by their hashes, and nothing
// else: the page sends no request, and a script within a dataset's text would not run even if escaping failed.
func (p Page) policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	scripts := "'none'"
	if p.Script != "" {
		scripts = hash(p.Script)
	}
	return "default-src 'none'; style-src " + hash(reportStyle+p.Style) + "; script-src " + scripts +
		"; base-uri 'none'; form-action 'none'"
}
