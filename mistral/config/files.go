package config

// Names of the files in a Hugging Face folder that this project reads or writes, weights aside.
const (
	ConfigFile           = "config.json"
	GenerationConfigFile = "generation_config.json"
	TokenizerFile        = "tokenizer.json"
	TokenizerConfigFile  = "tokenizer_config.json"
	SpecialTokensFile    = "special_tokens_map.json"
	ChatTemplateFile     = "chat_template.jinja"
)
