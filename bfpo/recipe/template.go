package recipe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// maxTemplate is the largest size of a template's file in bytes.
const maxTemplate = 2 << 20

// readTemplate returns the value of chat_template: the name of a known template as it is, Jinja source as it is, and
// the content of a file, or of chat_template.jinja in a folder, for a path. Any other word is an error: as a template
// it would render every dialogue as itself.
func (f folder) readTemplate(value string) (string, error) {
	_, known := chat.NamedTemplate(value)
	switch {
	case value == "" || known || isJinja(value):
		return value, nil
	case !looksLikeTemplateFile(value):
		names := chat.TemplateNames()
		return "", fmt.Errorf("%s is neither a known template (%s), nor the path of a .jinja file, nor a template's "+
			"source, which has {{ or {%%%s", usage.Word(value), strings.Join(names, ", "),
			usage.DidYouMean(strings.ToLower(value), names))
	}
	path := value
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.path, path)
	}
	if !PathExists(path) && PathExists(value) { // as other names, see localName
		path = value
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() { // a tokenizer's folder, as in TRL
		path = filepath.Join(path, "chat_template.jinja")
	}
	text, err := atomicfile.ReadLimited(path, maxTemplate)
	if err != nil {
		return "", fmt.Errorf("%w%s", err, usage.NearestFile(path))
	}
	if !isJinja(string(text)) {
		return "", fmt.Errorf("%s is no template: it has neither {{ nor {%%", usage.Word(path))
	}
	return string(text), nil
}

// isJinja reports whether a text can be a template's source.
func isJinja(text string) bool { return strings.Contains(text, "{{") || strings.Contains(text, "{%") }

// looksLikeTemplateFile reports whether a value can only be a template's path.
func looksLikeTemplateFile(value string) bool {
	return LooksLikePath(value) || slices.Contains([]string{".jinja", ".jinja2", ".j2"}, filepath.Ext(value))
}
