package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// Message is one turn of a dialogue. A message that was read keeps all keys of its object in their order, so that a
// template sees tool_calls, reasoning_content, name and whatever else there is; but not keys whose value is null.
type Message struct {
	Role    string
	Content string // "" if the content is no text

	object *jinja.Dict // as it was read, without nulls; nil for a message of role and content alone
}

// NewMessage returns the message of an object. Its role must be a text. Its content is a text or a list of parts; it
// may be null or missing where the message calls tools instead.
func NewMessage(object *jinja.Dict) (Message, error) {
	object = withoutNulls(object)
	role, _ := object.Get("role")
	content, _ := object.Get("content")
	m := Message{object: object}
	var isRole, isText bool
	m.Role, isRole = role.(string)
	m.Content, isText = content.(string)
	_, isParts := content.(*jinja.List)
	if !isRole || !isText && !isParts && (content != nil || m.callKey() == "") {
		if isRole && content == nil {
			return Message{}, errors.New("content is null or missing; want {role: text, content: text}")
		}
		return Message{}, errors.New("want {role: text, content: text}")
	}
	return m, nil
}

// withoutNulls returns an object without the keys whose value is null. Tables fill every message with the keys of all
// others, and templates write None for a key that is there.
func withoutNulls(object *jinja.Dict) *jinja.Dict {
	kept := &jinja.Dict{}
	for key, v := range object.All() {
		if v != nil {
			kept.Set(key, v)
		}
	}
	return kept
}

// reasoningKeys are the names under which messages have an answer's reasoning.
func reasoningKeys() []string { return []string{"reasoning", "thinking", "reasoning_content"} }

// seen returns the message as templates see it: with its reasoning under each of the names that templates know.
func (m Message) seen() *jinja.Dict {
	if m.object == nil {
		return m.plain()
	}
	var reasoning any
	for _, name := range reasoningKeys() { // the last one counts
		if v, ok := m.object.Get(name); ok {
			reasoning = v
		}
	}
	if reasoning == nil {
		return m.object
	}
	object := jinja.NewDict("thinking", reasoning)
	for key, v := range m.object.All() {
		object.Set(key, v)
	}
	object.Set("reasoning_content", reasoning)
	return object
}

// Equal reports whether two messages have the same keys and values.
func (m Message) Equal(other Message) bool {
	if m.Role != other.Role || m.Content != other.Content {
		return false
	}
	return m.object == nil && other.object == nil || reflect.DeepEqual(m.plain(), other.plain())
}

// plain returns the message as an object.
func (m Message) plain() *jinja.Dict {
	if m.object != nil {
		return m.object
	}
	return jinja.NewDict("role", m.Role, "content", m.Content)
}

// IsBlank reports whether a message says nothing: it has no text but white space, no parts and no calls of tools.
func (m Message) IsBlank() bool {
	return strings.TrimSpace(m.Content) == "" && !m.HasParts() && m.callKey() == ""
}

// callKey returns the key with which the message calls tools, "" if it calls none: tool_calls, or function_call, which
// an older form of the API had.
func (m Message) callKey() string {
	if m.hasItems("tool_calls") {
		return "tool_calls"
	}
	if m.object == nil {
		return ""
	}
	if call, _ := m.object.Get("function_call"); call != nil {
		return "function_call"
	}
	return ""
}

// Keys returns the message's keys beside role and content. Keys whose value is null are left out.
func (m Message) Keys() (keys []string) {
	if m.object == nil {
		return nil
	}
	for key := range m.object.All() {
		if name := key.(string); name != "role" && name != "content" {
			keys = append(keys, name)
		}
	}
	return keys
}

// HasParts reports whether the content is a list of parts, such as {type: text, text: …}, instead of one text.
func (m Message) HasParts() bool { return m.hasItems("content") }

// hasItems reports whether the value of a key is a list that is not empty.
func (m Message) hasItems(key string) bool {
	if m.object == nil {
		return false
	}
	v, _ := m.object.Get(key)
	list, ok := v.(*jinja.List)
	return ok && len(list.Items) > 0
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Message) UnmarshalJSON(data []byte) error {
	v, err := jinja.DecodeJSON(data)
	if err != nil {
		return err
	}
	object, ok := v.(*jinja.Dict)
	if !ok {
		return fmt.Errorf("want a message {role: text, content: text}, have %.40s", data)
	}
	*m, err = NewMessage(object)
	return err
}

// MarshalJSON implements json.Marshaler.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.object == nil {
		return json.Marshal(struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}{m.Role, m.Content})
	}
	return jinja.EncodeJSON(m.object)
}
