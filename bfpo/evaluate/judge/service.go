package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/fault"
)

// Service is a judge behind HTTP. It retries a question that meets a fault a few times, with pauses, and stores
// every reply, so that no evaluation asks an answered question again.
type Service struct {
	name    string
	digest  string
	metric  func(task.Metric) task.Metric
	replies *replies
	pace    *pacer
	limits  limits
	// request returns the request that asks about an answer.
	request func(a Answer) string
	// ask sends a request once. unreadable is the number of earlier replies to it that could not be read.
	ask  func(ctx context.Context, request string, unreadable int) (reply string, err error)
	read replyReader
}

// limits bound the time and the number of attempts that a question may take.
type limits struct {
	timeout  time.Duration // of one request
	parallel int           // concurrent questions
	tries    uint          // of one question
	patience time.Duration // for all tries of a question; also the longest pause that the service may ask for
	pause    time.Duration // before the second try; it doubles with every further one
	readings int           // replies to one question until one can be read
}

// defaultLimits returns the limits of a service without settings. Each reading of a question ends after timeout +
// patience at the latest.
func defaultLimits() limits {
	return limits{
		timeout: time.Minute, parallel: 4, tries: 6, patience: 5 * time.Minute, pause: time.Second, readings: 3,
	}
}

// Name returns the kind of service, its address and its model.
func (s *Service) Name() string { return s.name }

// Digest identifies the service, its model and the kind of question.
func (s *Service) Digest() string { return s.digest }

// Metric returns the metric of the service's kind of verdict.
func (s *Service) Metric(m task.Metric) task.Metric { return s.metric(m) }

// Close does nothing, since a service holds no resources.
func (s *Service) Close() error { return nil }

// Rate asks about the answers, several at a time. Equal requests are sent once.
func (s *Service) Rate(ctx context.Context, answers []Answer, report func(first int, verdicts ...Verdict) error) error {
	var requests []string
	places := map[string][]int{} // of the answers that a request asks about
	for i, a := range answers {
		request := s.request(a)
		if _, ok := places[request]; !ok {
			requests = append(requests, request)
		}
		places[request] = append(places[request], i)
	}
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(s.limits.parallel)
	for _, request := range requests {
		group.Go(func() error {
			return fault.Call(func() error {
				v, err := s.verdict(within, request)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, i := range places[request] {
					if err := report(i, v); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// verdict returns the verdict on a request. Only a fault that every request would meet is an error.
func (s *Service) verdict(ctx context.Context, request string) (Verdict, error) {
	var readErr error
	for unreadable := range s.limits.readings {
		reply, err := s.reply(ctx, request, unreadable)
		var everywhere *permanentError
		var unstored *storeError
		switch {
		case ctx.Err() != nil:
			return Verdict{}, ctx.Err()
		case errors.As(err, &everywhere), errors.As(err, &unstored):
			return Verdict{}, err
		case err != nil:
			return unjudged(err), nil
		}
		var v Verdict
		if v, readErr = s.read(reply); readErr == nil {
			return v, nil
		}
	}
	return unjudged(readErr), nil
}

// reply returns the service's reply to a request, from the store or from the service. Unreadable replies are stored
// too, so that an interrupted evaluation continues with the next one.
func (s *Service) reply(ctx context.Context, request string, unreadable int) (string, error) {
	key := digestOf(request)
	if unreadable > 0 {
		key = digestOf(request, strconv.Itoa(unreadable))
	}
	if reply, ok := s.replies.get(key); ok {
		return reply, nil
	}
	reply, err := s.askPatiently(ctx, request, unreadable)
	if err != nil {
		return "", err
	}
	if err := s.replies.put(replyLine{key, reply}); err != nil {
		return "", &storeError{err}
	}
	return reply, nil
}

// askPatiently asks until there is a reply, a fault is permanent, or the limits are reached.
func (s *Service) askPatiently(ctx context.Context, request string, unreadable int) (string, error) {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.Multiplier, policy.MaxInterval = s.limits.pause, 2, s.limits.patience
	tries := 0
	reply, err := backoff.Retry(ctx, func() (string, error) {
		if err := s.pace.wait(ctx); err != nil {
			return "", err
		}
		tries++
		within, cancel := context.WithTimeout(ctx, s.limits.timeout)
		defer cancel()
		reply, err := s.ask(within, request, unreadable)
		var away *unreachableError
		if err != nil && !errors.As(err, &away) && ctx.Err() == nil && within.Err() != nil {
			err = fmt.Errorf("no answer within %v", s.limits.timeout)
		}
		var wait *backoff.RetryAfterError
		if errors.As(err, &wait) {
			if wait.Duration > s.limits.patience {
				err = fmt.Errorf("%w, which is too long to wait: continue later", err)
				return "", backoff.Permanent(&permanentError{err})
			}
			s.pace.hold(wait.Duration)
		}
		return reply, err
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(s.limits.tries), backoff.WithMaxElapsedTime(s.limits.patience))
	var away *unreachableError
	if errors.As(err, &away) {
		err = &permanentError{err}
	}
	if err != nil && tries > 1 {
		err = fmt.Errorf("tried %d times: %w", tries, err)
	}
	return reply, err
}

// permanentError is an error that every question would meet: the key is wrong, or no server answers.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// storeError is an error of storing a reply.
type storeError struct{ error }

// unreachableError is an error of a question that reached no server.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// pacer spaces questions: their starts are at least gap apart, and none starts during a pause that the service
// asked for.
type pacer struct {
	gap  time.Duration
	mu   sync.Mutex
	next time.Time
}

// wait blocks until the next question may be asked.
func (p *pacer) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		now := time.Now()
		left := p.next.Sub(now)
		if left <= 0 {
			p.next = now.Add(p.gap)
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// hold delays all questions.
func (p *pacer) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = slices.MaxFunc([]time.Time{p.next, time.Now().Add(d)}, time.Time.Compare)
}
