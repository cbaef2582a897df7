package recipe

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// YAML returns the configuration with all its keys as a recipe that loads to the same configuration.
func (c Config) YAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(structNode(&c)); err != nil {
		return nil, fmt.Errorf("write recipe: %w", err)
	}
	return b.Bytes(), nil
}

// structNode returns a mapping of all keys of the struct that p points to. An empty list of stages is left out.
func structNode(p any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range recipeFields(p) {
		if stages, ok := f.value.Interface().([]Stage); ok && len(stages) == 0 {
			continue
		}
		n.Content = append(n.Content, stringNode(f.key), f.node())
	}
	return n
}

// node returns the field's value as a YAML node.
func (f field) node() *yaml.Node {
	switch v := f.value.Interface().(type) {
	case string:
		if v == "" {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		}
		return stringNode(v)
	case Switch:
		if v == On || v == Off {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: string(v)}
		}
		return stringNode(string(v))
	case float64:
		return floatNode(v)
	case []string:
		return stringsNode(v)
	case Mixer:
		return mixerNode(v)
	case []Stage:
		return stagesNode(v)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(f.value.Interface())} // int, bool
}

// field is one key of a recipe and the settable struct field of its value.
type field struct {
	key   string
	value reflect.Value
}

// recipeFields lists the fields with a yaml name of the struct that p points to, in order.
func recipeFields(p any) []field {
	v := reflect.ValueOf(p).Elem()
	var fields []field
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			fields = append(fields, field{key, v.Field(i)})
		}
	}
	return fields
}

// fieldOf returns one key's field of the struct that p points to; ok is false if it has none.
func fieldOf(p any, key string) (f field, ok bool) {
	for _, f := range recipeFields(p) {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

// decode sets the field to the node's value. Errors are *valueError.
func (f field) decode(n *yaml.Node) error {
	n = dealias(n)
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		return decodeString(n, p)
	case *bool:
		return decodeBool(n, p)
	case *int:
		var wide int64
		err := decodeInt(n, &wide)
		*p = int(wide)
		return err
	case *int64:
		return decodeInt(n, p)
	case *float64:
		return decodeFloat(n, p)
	case *[]string:
		return decodeStrings(n, p)
	case *Switch:
		return decodeSwitch(n, p)
	case *Mixer:
		m, err := decodeMixer(n)
		*p = m
		return err
	}
	panic(fmt.Sprintf("recipe key %s has the type %s, which decode does not know", f.key, f.value.Type()))
}

// stagesNode returns the list of stages, each with all its keys, so that the recipe needs no other file.
func stagesNode(stages []Stage) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range stages {
		value := structNode(&s.Config)
		if s.Kind == "eval" {
			value = structNode(&s.Eval)
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode(s.Kind), value}})
	}
	return n
}
