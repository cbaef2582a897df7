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
// template sees tool_calls, reasoning_content, name and whatever else there is.
type Message struct {
	Role    string
	Content string // "" if the content is no text

	object *jinja.Dict // as it was read; nil for a message of role and content alone
}

// NewMessage returns the message of an object. Its role must be a text. Its content is a text or a list of parts; it
// may be null or missing where the message calls tools instead.
func NewMessage(object *jinja.Dict) (Message, error) {
	role, _ := object.Get("role")
	content, _ := object.Get("content")
	m := Message{object: object}
	var isRole, isText bool
	m.Role, isRole = role.(string)
	m.Content, isText = content.(string)
	_, isParts := content.(*jinja.List)
	if !isRole || !isText && !isParts && (content != nil || !m.callsTools()) {
		return Message{}, errors.New("want {role: text, content: text}")
	}
	return m, nil
}

// Object returns the message as templates see it.
func (m Message) Object() *jinja.Dict {
	if m.object != nil {
		return m.object
	}
	object := &jinja.Dict{}
	object.Set("role", m.Role)
	object.Set("content", m.Content)
	return object
}

// Equal reports whether two messages have the same keys and values.
func (m Message) Equal(other Message) bool {
	if m.Role != other.Role || m.Content != other.Content {
		return false
	}
	return m.object == nil && other.object == nil || reflect.DeepEqual(m.Object(), other.Object())
}

// IsBlank reports whether a message says nothing: it has no text but white space, no parts and no calls of tools.
func (m Message) IsBlank() bool {
	return strings.TrimSpace(m.Content) == "" && !m.hasItems("content") && !m.callsTools()
}

// callsTools reports whether the message calls tools.
func (m Message) callsTools() bool { return m.hasItems("tool_calls") }

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
