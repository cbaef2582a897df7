package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestMessageKeys checks that templates see every key of a message, in order, and that other messages are refused.
func TestMessageKeys(t *testing.T) {
	const show = `{# tool_calls #}{% for m in messages %}{{ m }}{% endfor %}|{{ tools is none }}{{ documents is none }}`
	template, err := NewTemplate(show, nil)
	if err != nil {
		t.Fatal(err)
	}
	const call = `{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":2.0}}}]}`
	for source, want := range map[string]string{
		`{"role":"user","content":"Hi"}`:              "{'role': 'user', 'content': 'Hi'}",
		`{"content":"Hi","role":"user","name":"Ann"}`: "{'content': 'Hi', 'role': 'user', 'name': 'Ann'}",
		`{"role":"user","content":[{"type":"text"}]}`: "{'role': 'user', 'content': [{'type': 'text'}]}",
		`{"role":"assistant","content":"","reasoning":"Hm"}`: "{'thinking': 'Hm', 'role': 'assistant', " +
			"'content': '', 'reasoning': 'Hm', 'reasoning_content': 'Hm'}",
		call: "{'role': 'assistant', 'tool_calls': [{'function': {'name': 'f', " +
			"'arguments': {'b': 1, 'a': 2.0}}}]}",
		`{"role":"user","content":null}`: "", `{"role":"user"}`: "", `null`: "", `{"content":"x"}`: "",
		`{"Role":"a","CONTENT":"b"}`:           "",
		`{"role":"assistant","tool_calls":[]}`: "", `[]`: "",
	} {
		var m Message
		err := json.Unmarshal([]byte(`{"m":`+source+`}`), &struct{ M *Message }{&m})
		if want == "" {
			if err == nil && source != "null" {
				t.Errorf("%s is taken for a message", source)
			}
			continue
		}
		text, renderErr := template.Render(t.Context(), Dialogue{Messages: []Message{m}})
		if err != nil || renderErr != nil || text != want+"|TrueTrue" {
			t.Errorf("%s: %q, %v, %v", source, text, err, renderErr)
		}
		var again Message
		data, err := json.Marshal(m)
		if err != nil || json.Unmarshal(data, &again) != nil || !m.Equal(again) {
			t.Errorf("%s is written as %s: %v", source, data, err)
		}
	}
	plain := Message{Role: "user", Content: "Hi"}
	var read Message
	err = json.Unmarshal([]byte(`{"role":"user","content":"Hi"}`), &read)
	if err != nil || !plain.Equal(read) || plain.IsBlank() {
		t.Error("messages of the same keys are not equal")
	}
	if !(Message{Role: "user", Content: " \n"}).IsBlank() {
		t.Error("white space is not blank")
	}
	json.Unmarshal([]byte(call), &read)
	if read.IsBlank() || read.Equal(plain) {
		t.Error("a call of a tool is blank")
	}
}

func TestTemplateDate(t *testing.T) {
	day := func() time.Time { return time.Date(2024, 7, 4, 9, 5, 3, 0, time.UTC) }
	for source, want := range map[string]string{
		"%Y-%m-%d": "2024-07-04", "%d %b %Y": "04 Jul 2024", "%B %-d, %Y": "July 4, 2024",
		"%H:%M:%S %p %I %j %%": "09:05:03 AM 09 186 %",
		"%A %a %y %e":          "Thursday Thu 24  4", "%Q": "", "%": "",
	} {
		template, err := NewTemplateOn(day, `{{ strftime_now('`+source+`') }}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := template.Render(t.Context(), Dialogue{})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q gives %q, %v, want %q", source, got, err, want)
		}
	}
}

// TestContentInParts explains the error of a template that takes a content in parts for a text.
func TestContentInParts(t *testing.T) {
	var m Message
	if err := json.Unmarshal([]byte(`{"role": "user", "content": [{"type": "text", "text": "a"}]}`), &m); err != nil {
		t.Fatal(err)
	}
	const hint = "the content of message 0 is a list of parts, which the template does not read: give it as one text"
	for source, want := range map[string]string{
		"{% for m in messages %}{{ '|' + m.content }}{% endfor %}":                                           hint,
		"{% for m in messages %}{{ m.content[1].text + m.type }}{% endfor %}":                                "no element 1",
		"{% for m in messages %}{% for p in m.content %}{{ p.type ~ '|' ~ p.text }}{% endfor %}{% endfor %}": "",
	} {
		template, err := NewTemplate(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := template.Render(t.Context(), Dialogue{Messages: []Message{m}})
		if want == "" && text == "text|a" && err == nil {
			continue
		}
		if want == "" || err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", source, text, err, want)
		}
	}
}
