package chat

import "testing"

// The texts are those of the published formats, written by hand.
func TestNamedTemplates(t *testing.T) {
	turns := []Message{{Role: "user", Content: "Hi"}, {Role: "assistant", Content: "Yes."}, {Role: "user", Content: "Go"}}
	withSystem := append([]Message{{Role: "system", Content: "Be kind."}}, turns...)
	for _, c := range []struct{ name, want, system string }{
		{
			"chatml",
			"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nGo<|im_end|>\n" +
				"<|im_start|>assistant\n",
			"<|im_start|>system\nBe kind.<|im_end|>\n",
		},
		{
			"gemma",
			"<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYes.<end_of_turn>\n" +
				"<start_of_turn>user\nGo<end_of_turn>\n<start_of_turn>model\n",
			"refused",
		},
		{
			"llama2",
			"<s>[INST] Hi [/INST] Yes. </s><s>[INST] Go [/INST]",
			"<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST]",
		},
		{
			"llama3",
			"<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n" +
				"Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nGo<|eot_id|>" +
				"<|start_header_id|>assistant<|end_header_id|>\n\n",
			"<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>",
		},
		{"mistral", "<s>[INST] Hi [/INST] Yes.</s>[INST] Go [/INST]", "<s>[INST] Be kind.\n\nHi [/INST]"},
		{
			"phi3",
			"<|user|>\nHi<|end|>\n<|assistant|>\nYes.<|end|>\n<|user|>\nGo<|end|>\n<|assistant|>\n",
			"<|system|>\nBe kind.<|end|>\n<|user|>\nHi",
		},
		{"vicuna", "USER: Hi ASSISTANT: Yes.</s>USER: Go ASSISTANT:", "Be kind. USER: Hi "},
		{
			"zephyr",
			"<|user|>\nHi</s>\n<|assistant|>\nYes.</s>\n<|user|>\nGo</s>\n<|assistant|>\n",
			"<|system|>\nBe kind.</s>\n",
		},
	} {
		source, ok := NamedTemplate(c.name)
		if !ok {
			t.Errorf("%s is unknown", c.name)
			continue
		}
		template, err := NewTemplate(source, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := template.Render(t.Context(), Dialogue{Messages: turns, GenerationPrompt: true})
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%q, want\n%q", c.name, err, got, c.want)
		}
		got, err = template.Render(t.Context(), Dialogue{Messages: withSystem, GenerationPrompt: true})
		if refused := err != nil; refused != (c.system == "refused") || !refused && got[:len(c.system)] != c.system {
			t.Errorf("%s with a system message: %v\n%q, want it to begin with\n%q", c.name, err, got, c.system)
		}
	}
	if names := TemplateNames(); len(names) != 8 {
		t.Errorf("%d templates, 8 are tested: %v", len(names), names)
	}
	if _, ok := NamedTemplate("../named"); ok {
		t.Error("a path is no name")
	}
}
