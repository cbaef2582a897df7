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
)

// Service is a judge behind HTTP. A question that meets a fault is asked again after a while, a few times; what the service has once
// answered is not asked again, in this evaluation or another one.
type Service struct {
	name    string
	digest  string
	metric  func(task.Metric) task.Metric
	replies *replies
	pace    *pacer
	limits  limits
	// request is what asks about an answer.
	request func(a Answer) string
	// ask asks once. again counts the earlier replies to this request that were none that was asked for.
	ask  func(ctx context.Context, request string, again int) (reply string, err error)
	read reader
}

// limits bound what asking may take.
type limits struct {
	timeout  time.Duration // for one answer of the service to come
	parallel int           // questions at once
	tries    uint          // for one question
	patience time.Duration // within which a question is tried again, and the longest pause that the service may ask for
	pause    time.Duration // before the second try; it doubles from try to try
	readings int           // replies to one question until one can be read
}

// defaultLimits are those of questions to a service. A question ends after timeout + patience at the latest, for each reading.
func defaultLimits() limits {
	return limits{timeout: time.Minute, parallel: 4, tries: 6, patience: 5 * time.Minute, pause: time.Second, readings: 3}
}

// Name is the kind of service, its address and its model.
func (s *Service) Name() string { return s.name }

// Digest changes with the service, its model and the kind of question.
func (s *Service) Digest() string { return s.digest }

// Metric is what the service's kind of verdict is called.
func (s *Service) Metric(m task.Metric) task.Metric { return s.metric(m) }

// Close does nothing: a service holds nothing.
func (s *Service) Close() error { return nil }

// Rate asks about the answers, some at once, and about equal ones once.
func (s *Service) Rate(ctx context.Context, answers []Answer, report func(first int, verdicts ...Verdict) error) error {
	var requests []string
	places := map[string][]int{} // of the answers that a request is about
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
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// verdict is what the service says of a request. Only a fault that every request would meet is an error.
func (s *Service) verdict(ctx context.Context, request string) (Verdict, error) {
	var unread error
	for again := range s.limits.readings {
		reply, err := s.reading(ctx, request, again)
		var all *hopeless
		var lost *unkept
		switch {
		case ctx.Err() != nil:
			return Verdict{}, ctx.Err()
		case errors.As(err, &all), errors.As(err, &lost):
			return Verdict{}, err
		case err != nil:
			return unjudged(err), nil
		}
		var v Verdict
		if v, unread = s.read(reply); unread == nil {
			return v, nil
		}
	}
	return unjudged(unread), nil
}

// reading is the service's reply to a request, what it has said before or now. One that cannot be read is kept too, so that a stopped
// evaluation goes on with the next one.
func (s *Service) reading(ctx context.Context, request string, again int) (string, error) {
	key := question(request)
	if again > 0 {
		key = question(request, strconv.Itoa(again))
	}
	if reply, ok := s.replies.get(key); ok {
		return reply, nil
	}
	reply, err := s.patiently(ctx, request, again)
	if err != nil {
		return "", err
	}
	if err := s.replies.put(replyLine{key, reply}); err != nil {
		return "", &unkept{err}
	}
	return reply, nil
}

// patiently asks until there is a reply, the fault is one that stays, or the limits are reached.
func (s *Service) patiently(ctx context.Context, request string, again int) (string, error) {
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
		reply, err := s.ask(within, request, again)
		var away *unreachable
		if err != nil && !errors.As(err, &away) && ctx.Err() == nil && within.Err() != nil {
			err = fmt.Errorf("no answer within %v", s.limits.timeout)
		}
		var wait *backoff.RetryAfterError
		if errors.As(err, &wait) {
			if wait.Duration > s.limits.patience {
				return "", backoff.Permanent(&hopeless{fmt.Errorf("%w, which is too long to wait: go on then", err)})
			}
			s.pace.hold(wait.Duration)
		}
		return reply, err
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(s.limits.tries), backoff.WithMaxElapsedTime(s.limits.patience))
	var away *unreachable
	if errors.As(err, &away) {
		err = &hopeless{err}
	}
	if err != nil && tries > 1 {
		err = fmt.Errorf("tried %d times: %w", tries, err)
	}
	return reply, err
}

// hopeless is an error that every question would meet: the key is wrong, or nothing answers.
type hopeless struct{ error }

func (h *hopeless) Unwrap() error { return h.error }

// unkept is an error of writing a reply down.
type unkept struct{ error }

// unreachable is an error of a question that reached no server.
type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }

// pacer keeps questions apart: at least gap between the starts of two, and none before a time that the service has asked for.
type pacer struct {
	gap  time.Duration
	mu   sync.Mutex
	next time.Time
}

// wait returns when the next question may be asked.
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

// hold puts all questions off.
func (p *pacer) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = slices.MaxFunc([]time.Time{p.next, time.Now().Add(d)}, time.Time.Compare)
}
