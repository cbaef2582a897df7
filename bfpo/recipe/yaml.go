package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valueError is a YAML value that its key does not accept; the caller adds the key and where it was given.
type valueError struct {
	node *yaml.Node
	want string // what the key accepts
}

func (e *valueError) Error() string {
	return fmt.Sprintf("want %s, got %s", e.want, describeNode(e.node))
}

// describeNode describes a YAML value for an error message.
func describeNode(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Value == "" && n.ShortTag() == "!!null":
		return "nothing (YAML wants a space after a colon)"
	case n.ShortTag() == "!!str":
		text := n.Value
		if runes := []rune(text); len(runes) > 40 {
			text = string(runes[:40]) + "…"
		}
		return fmt.Sprintf("the string %q", text)
	}
	return n.Value
}

// dealias returns the node that an alias refers to. Callers look only a fixed number of levels deep, so an alias that
// refers to a node around it cannot cause an endless loop.
func dealias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isNull reports whether a node is null. Python's None counts as null, because the original code's recipes use it.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!null" || n.Style == 0 && n.Value == "None")
}

// decodeString reads a string; one that YAML takes for a date is kept as it is written.
func decodeString(n *yaml.Node, p *string) error {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp" {
		return &valueError{n, "a string"}
	}
	*p = n.Value
	return nil
}

func decodeBool(n *yaml.Node, p *bool) error {
	if n.Kind == yaml.ScalarNode && n.Style == 0 {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on":
			*p = true
			return nil
		case "false", "no", "off":
			*p = false
			return nil
		}
	}
	return &valueError{n, "true or false"}
}

// decodeInt accepts whole numbers, including ones written as 500.0 or 1e3.
func decodeInt(n *yaml.Node, p *int64) error {
	var x float64
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && n.Decode(p) == nil {
		return nil
	}
	if decodeFloat(n, &x) != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return &valueError{n, "a whole number"}
	}
	*p = int64(x)
	return nil
}

func decodeFloat(n *yaml.Node, p *float64) error {
	tag := n.ShortTag()
	isNumber := n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float")
	if !isNumber || n.Decode(p) != nil || math.IsNaN(*p) || math.IsInf(*p, 0) {
		return &valueError{n, "a number"}
	}
	return nil
}

// decodeStrings accepts a list of strings; a single string is a list of one.
func decodeStrings(n *yaml.Node, p *[]string) error {
	nodes := n.Content
	if n.Kind == yaml.ScalarNode {
		nodes = []*yaml.Node{n}
	} else if n.Kind != yaml.SequenceNode {
		return &valueError{n, "a list of strings"}
	}
	*p = nil
	for _, item := range nodes {
		var s string
		if err := decodeString(dealias(item), &s); err != nil {
			return &valueError{dealias(item), "a list of strings"}
		}
		*p = append(*p, s)
	}
	return nil
}

func decodeSwitch(n *yaml.Node, p *Switch) error {
	var b bool
	if decodeBool(n, &b) == nil {
		*p = Off
		if b {
			*p = On
		}
		return nil
	}
	if decodeString(n, (*string)(p)) != nil {
		return &valueError{n, "true, false or a word"}
	}
	return nil
}

// decodeMixer accepts {name: fraction, …}. A single name, or a list of names, stands for all rows of each dataset.
func decodeMixer(n *yaml.Node) (Mixer, error) {
	n = dealias(n)
	if n.Kind != yaml.MappingNode {
		var names []string
		if err := decodeStrings(n, &names); err != nil {
			return nil, &valueError{n, "a mapping of dataset to fraction"}
		}
		var m Mixer
		for _, name := range names {
			m = append(m, Share{name, 1})
		}
		return m, nil
	}
	var m Mixer
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		share := Share{Name: key.Value}
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			return nil, &valueError{key, "a dataset's name"}
		}
		if seen[share.Name] {
			return nil, &valueError{key, fmt.Sprintf("each dataset once; %s is listed twice", share.Name)}
		}
		seen[share.Name] = true
		if err := decodeFloat(dealias(value), &share.Fraction); err != nil || !(share.Fraction >= 0 && share.Fraction <= 1) {
			return nil, &valueError{dealias(value), fmt.Sprintf("a fraction between 0 and 1 for %s", share.Name)}
		}
		m = append(m, share)
	}
	return m, nil
}

// mixerNode returns a mapping of dataset to fraction.
func mixerNode(m Mixer) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range m {
		n.Content = append(n.Content, stringNode(s.Name), floatNode(s.Fraction))
	}
	if len(m) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// stringNode returns a string that YAML and Python read back unchanged.
func stringNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	word := slices.Contains([]string{"none", "no", "yes", "on", "off", "n", "y"}, strings.ToLower(s))
	if word || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		// Block styles lose trailing spaces, an unquoted None reads as null, and Python reads no as false.
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// floatNode writes a number with a dot, such as 5.0e-07, because Python's YAML reads 5e-07 as a string.
func floatNode(x float64) *yaml.Node {
	text := strconv.FormatFloat(x, 'g', -1, 64)
	if mantissa, exponent, ok := strings.Cut(text, "e"); !strings.Contains(mantissa, ".") {
		text = mantissa + ".0"
		if ok {
			text += "e" + exponent
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: text}
}

func stringsNode(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range list {
		n.Content = append(n.Content, stringNode(s))
	}
	return n
}
