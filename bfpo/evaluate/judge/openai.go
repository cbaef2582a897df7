package judge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// chatClient asks a model behind an OpenAI-compatible endpoint.
type chatClient struct {
	*exchange
	base      string // the address up to /v1
	query     string // the address's query
	model     string
	maxTokens int

	mu       sync.Mutex
	rejected map[string]bool // parameters that the service has rejected
}

// chatMessage is one message of a request.
type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// OpenAIOptions configures a judge behind an OpenAI-compatible endpoint.
type OpenAIOptions struct {
	Address string // as in -judge=openai:Address; see NewOpenAI
	Key     string // "" if the endpoint needs none
	Cache   string // folder of stored replies; "" stores none
}

// NewOpenAI returns a judge behind an OpenAI-compatible endpoint. The address is the API's, such as
// http://localhost:8000/v1; an empty path means /v1. After a # it may have the name of a model, or settings in the
// form of a query:
//
//	model=NAME     the model; without it the service must list exactly one
//	ask=harmful    asks HarmBench's question, yes or no (the default): the task's metric, 1 for no
//	ask=rating     asks for a rating of safety from 1 to 5: the metric query_gpt4
//	parallel=4     the number of concurrent questions
//	timeout=1m     of a request
//	max_tokens=N   of an answer; the default is 64, and 1024 for ratings
//
// Wrong settings are errors that wrap ErrSettings.
func NewOpenAI(ctx context.Context, o OpenAIOptions) (*Service, error) {
	c, s, rating, err := parseOpenAI(o)
	if err != nil {
		return nil, err
	}
	if c.model == "" {
		if c.model, err = c.onlyModel(ctx, s); err != nil {
			return nil, err
		}
	}
	s.name = "openai:" + c.base + "#" + c.model
	c.maxTokens = cmp.Or(c.maxTokens, 64)
	systemMessage := !strings.Contains(strings.ToLower(c.model), "harmbench-mistral")
	s.request = func(a Answer) string { return harmMessages(a, systemMessage) }
	s.read = readHarm
	s.metric = func(m task.Metric) task.Metric { return m }
	if rating {
		s.name += " rating"
		s.read = readRating
		s.request = func(a Answer) string {
			question := fmt.Sprintf(ratingQuestion, a.Reference, a.Answer)
			return messages(chatMessage{"system", ratingSystem}, chatMessage{"user", question})
		}
		s.metric = func(m task.Metric) task.Metric {
			return task.Metric{Kind: m.Kind, Name: "query_gpt4", HigherIsBetter: true}
		}
	}
	s.ask = c.ask
	s.digest = digestOf(s.name, c.query, strconv.Itoa(c.maxTokens))
	s.replies, err = openReplies(o.Cache, s.digest)
	return s, err
}

// parseOpenAI reads an address and its settings.
func parseOpenAI(o OpenAIOptions) (c *chatClient, s *Service, rating bool, err error) {
	address, settings, err := serviceAddress(o.Address)
	if err != nil {
		return nil, nil, false, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if err := checkKey("OPENAI_API_KEY", o.Key, address); err != nil {
		return nil, nil, false, err
	}
	e := newExchange("Authorization", "Bearer ", o.Key)
	c = &chatClient{exchange: e, query: address.RawQuery, rejected: map[string]bool{}}
	if strings.Trim(address.Path, "/") == "" {
		address.Path = "/v1"
	}
	c.base = address.Scheme + "://" + address.Host + strings.TrimRight(address.EscapedPath(), "/")
	s = &Service{pace: &pacer{}, limits: defaultLimits()}
	for name, values := range settings {
		value := values[len(values)-1]
		switch name {
		case "model":
			c.model = value
		case "ask":
			rating = value == "rating"
			if !rating && value != "harmful" {
				err = fmt.Errorf("ask=%s: want harmful or rating", value)
			}
		case "parallel":
			s.limits.parallel, err = positive(value)
		case "max_tokens":
			c.maxTokens, err = positive(value)
		case "timeout":
			if s.limits.timeout, err = time.ParseDuration(value); err == nil && s.limits.timeout <= 0 {
				err = errors.New("want more than 0")
			}
			s.limits.patience = max(s.limits.patience, 3*s.limits.timeout)
		default:
			err = errors.New("unknown setting; the settings are model, ask, parallel, timeout, max_tokens")
		}
		if err != nil {
			return nil, nil, false, fmt.Errorf("%w: #%s=%s: %w", ErrSettings, name, value, err)
		}
	}
	if rating {
		c.maxTokens = cmp.Or(c.maxTokens, 1024)
	}
	return c, s, rating, nil
}

// serviceAddress parses the address of a service, and the model's name or the settings after its #.
func serviceAddress(text string) (*url.URL, url.Values, error) {
	plain, fragment, _ := strings.Cut(text, "#")
	address, err := url.Parse(plain)
	switch {
	case err != nil:
		return nil, nil, errors.New("no address of the form http://HOST:PORT/v1") // url's own error repeats the address
	case address.Scheme != "http" && address.Scheme != "https" || address.Host == "":
		return nil, nil, fmt.Errorf("%q is no address of the form http://HOST:PORT/v1", address.Redacted())
	case address.User != nil:
		return nil, nil, errors.New("the address contains a name or password: give the key in the environment instead")
	}
	if !strings.Contains(fragment, "=") {
		if fragment == "" {
			return address, nil, nil
		}
		return address, url.Values{"model": {fragment}}, nil
	}
	settings, err := url.ParseQuery(fragment)
	if err != nil {
		return nil, nil, fmt.Errorf("#%s: want settings as in a query: %w", fragment, err)
	}
	return address, settings, nil
}

func positive(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("want a whole number above 0")
	}
	return n, nil
}

// harmMessages asks whether an answer is harmful. With a system message, a chat template for Llama 2 turns the
// messages into the prompt of HarmBench-Llama-2-13b-cls. Mistral's template has no system message, so the
// instruction can also precede the question, as in HarmBench-Mistral-7b-val-cls.
func harmMessages(a Answer, systemMessage bool) string {
	if !systemMessage {
		return messages(chatMessage{"user", harmInstruction + "\n\n" + harmPrompt(a)})
	}
	return messages(chatMessage{"system", harmInstruction}, chatMessage{"user", harmPrompt(a)})
}

// messages encodes messages as JSON.
func messages(list ...chatMessage) string {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(text)
}

func (c *chatClient) address(path string) string {
	if c.query != "" {
		path += "?" + c.query
	}
	return c.base + path
}

// onlyModel asks the service for its models and returns the name of the only one.
func (c *chatClient) onlyModel(ctx context.Context, s *Service) (string, error) {
	asking := *s
	asking.ask = func(ctx context.Context, _ string, _ int) (string, error) {
		var list struct{ Data []struct{ ID string } }
		if err := c.do(ctx, c.address("/models"), nil, &list); err != nil {
			return "", err
		}
		if len(list.Data) == 1 {
			return list.Data[0].ID, nil
		}
		const most = 10
		var names []string
		for _, m := range list.Data[:min(len(list.Data), most)] {
			names = append(names, m.ID)
		}
		if len(list.Data) > most {
			names = append(names, "…")
		}
		text := fmt.Sprintf("the service has %d models: %s", len(list.Data), strings.Join(names, ", "))
		if len(names) == 0 {
			text = "the service lists no models"
		}
		return "", backoff.Permanent(fmt.Errorf("%w: %s", ErrSettings, text))
	}
	name, err := asking.askPatiently(ctx, "", 0)
	if err != nil {
		return "", fmt.Errorf("%s does not determine the model (name it: openai:%s#MODEL): %w", c.base, c.base, err)
	}
	return name, nil
}

// ask sends messages and returns the model's answer: the likeliest one, or a sampled one after replies that could
// not be read.
func (c *chatClient) ask(ctx context.Context, request string, unreadable int) (string, error) {
	body := map[string]any{"model": c.model, "messages": json.RawMessage(request)}
	if unreadable == 0 && c.accepts("temperature") {
		body["temperature"] = 0
	}
	if c.accepts("max_tokens") {
		body["max_tokens"] = c.maxTokens
	} else {
		body["max_completion_tokens"] = c.maxTokens // its name in newer versions
	}
	var answer struct {
		Choices []struct {
			Message struct {
				Content *string
				Refusal string
			}
		}
	}
	err := c.do(ctx, c.address("/chat/completions"), body, &answer)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusBadRequest && c.rejectsParameter(body, status.message) {
		return "", status // not permanent: the next try omits the parameter
	}
	switch {
	case err != nil:
		return "", err
	case len(answer.Choices) == 0:
		return "", errors.New("the answer has no choices")
	case answer.Choices[0].Message.Content == nil:
		return c.redact(answer.Choices[0].Message.Refusal), nil
	}
	return c.redact(*answer.Choices[0].Message.Content), nil
}

func (c *chatClient) accepts(parameter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.rejected[parameter]
}

// rejectsParameter reports whether an error message of the service rejects a parameter that a request can omit, and
// remembers the parameter.
func (c *chatClient) rejectsParameter(body map[string]any, message string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	mentions := map[string]string{"temperature": "temperature", "max_tokens": "max_completion_tokens"}
	for parameter, mention := range mentions {
		if _, sent := body[parameter]; sent && strings.Contains(message, mention) {
			c.rejected[parameter] = true
			return true
		}
	}
	return false
}
