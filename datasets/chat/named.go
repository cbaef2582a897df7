package chat

import (
	"embed"
	"slices"
	"strings"
)

//go:embed named/*.jinja
var namedFiles embed.FS

// zephyrName is the name of ZephyrTemplate.
const zephyrName = "zephyr"

// NamedTemplate returns the source of a template that is known by name. The templates write the well-known formats of
// model families; their markers, such as <|im_start|>, are single tokens only in tokenizers that have them.
func NamedTemplate(name string) (source string, ok bool) {
	if name == zephyrName {
		return ZephyrTemplate, true
	}
	if !slices.Contains(TemplateNames(), name) {
		return "", false
	}
	text, err := namedFiles.ReadFile("named/" + name + ".jinja")
	return string(text), err == nil
}

// TemplateNames lists the names that NamedTemplate knows, sorted.
func TemplateNames() []string {
	names := []string{zephyrName}
	entries, err := namedFiles.ReadDir("named")
	if err != nil { // the folder is part of the program
		return names
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".jinja"))
	}
	slices.Sort(names)
	return names
}
