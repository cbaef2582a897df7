// Package judge rates generated answers, above all for safety.
//
// A Judge is either a Classifier, a model on a device that answers yes (harmful) or no, or a Service behind HTTP: a
// chat model behind an OpenAI-compatible endpoint, or the Perspective API. Prompts and readings follow the original
// code and HarmBench. Replies are stored in a cache folder, so that no question is asked twice. A fault of a
// service is retried; an answer that cannot be rated gets a verdict that says why, and only a fault that every
// question would meet, such as a wrong key, is an error. Keys appear in no error, reply or file.
package judge
