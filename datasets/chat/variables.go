package chat

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// Variables are what a template sees beside the messages. The zero value has none.
type Variables struct {
	tools, documents any         // a *jinja.List, or nil
	more             *jinja.Dict // further variables by name
}

// arguments are the names that chat_template_kwargs cannot have: they are arguments of transformers' function
// apply_chat_template, not variables of the template.
const arguments = "conversation messages chat_template add_generation_prompt continue_final_message tokenize " +
	"sanitize_control_tokens padding truncation max_length return_tensors return_dict return_assistant_tokens_mask " +
	"tokenizer_kwargs"

// NewVariables returns the variables that the columns tools, documents and chat_template_kwargs of a row give, as TRL
// and transformers pass them on. Their values are those that jinja.FromGo takes; nil stands for a column without value.
// Tools are a list of objects, or such a list as JSON text, and an empty list counts as none; documents are a list of
// objects; chat_template_kwargs is an object of variables, whose tools and documents replace those of the columns.
func NewVariables(tools, documents, kwargs any) (v Variables, err error) {
	given, err := jinja.FromGo(kwargs)
	if err != nil {
		return v, fmt.Errorf("chat_template_kwargs: %w", err)
	}
	if v.more, _ = given.(*jinja.Dict); v.more == nil && given != nil {
		return v, errors.New("chat_template_kwargs: want an object of variables by name")
	}
	for name := range v.more.All() {
		if slices.Contains(strings.Fields(arguments), name.(string)) {
			return v, fmt.Errorf("chat_template_kwargs: %s is an argument of apply_chat_template, not a variable of a template",
				name)
		}
	}
	if replaced, ok := v.more.Get("tools"); ok {
		tools = replaced
	}
	if replaced, ok := v.more.Get("documents"); ok {
		documents = replaced
	}
	if text, ok := tools.(string); ok {
		if tools, err = jinja.DecodeJSON([]byte(text)); err != nil {
			return v, fmt.Errorf("tools: want a list of objects, or one as JSON text: %w", err)
		}
	}
	if v.tools, err = objects("tools", tools); err != nil {
		return v, err
	}
	if list, ok := v.tools.(*jinja.List); ok && len(list.Items) == 0 {
		v.tools = nil
	}
	v.documents, err = objects("documents", documents)
	return v, err
}

// objects returns a value that is nil or a list of objects.
func objects(name string, v any) (any, error) {
	v, err := jinja.FromGo(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if v == nil {
		return nil, nil
	}
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, fmt.Errorf("%s: want a list of objects", name)
	}
	for i, item := range list.Items {
		if _, ok := item.(*jinja.Dict); !ok {
			return nil, fmt.Errorf("%s: element %d: want an object", name, i)
		}
	}
	return list, nil
}

// IsEmpty reports whether a template sees nothing beside the messages.
func (v Variables) IsEmpty() bool { return v.tools == nil && v.documents == nil && v.more.Len() == 0 }

// Equal reports whether a template sees the same.
func (v Variables) Equal(other Variables) bool { return reflect.DeepEqual(v, other) }

// checkRead refuses tools and documents that a template does not read.
func (v Variables) checkRead(program *jinja.Template) error {
	for _, given := range []struct {
		name  string
		value any
	}{{"tools", v.tools}, {"documents", v.documents}} {
		if list, ok := given.value.(*jinja.List); ok && len(list.Items) > 0 && !program.Reads(given.name) {
			return fmt.Errorf("the row has %[1]s, which the template does not read: "+
				"set chat_template to one that does, or remove %[1]s from the rows", given.name)
		}
	}
	return nil
}

// all returns the variables by name.
func (v Variables) all() map[string]any {
	all := map[string]any{}
	for name, value := range v.more.All() {
		all[name.(string)] = value
	}
	all["tools"], all["documents"] = v.tools, v.documents
	return all
}
