package config

// Files of a Hugging Face folder that this package reads or makes.
const (
	ConfigFile     = "config.json"
	GenerationFile = "generation_config.json"
	TokenizerFile  = "tokenizer.json"
	TokenizerConf  = "tokenizer_config.json"
	TemplateFile   = "chat_template.jinja"
)
