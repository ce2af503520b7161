"""The closed loop: from what the stream says to what should be done about it.

A pure fold: the same steps and facts in the same order give the same decisions, wherever they are folded. Its phases:

    NO_CHAMPION -> WATCHING -> (drift confirmed) HELD? -> TRAINING -> SHADOWING -> PROMOTING -> PROBATION -> WATCHING
                                                              refused, dismissed, rolled back -> WATCHING
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

from domain.areas import AreaGrid
from domain.features import CityClock
from domain.loop.decisions import (
    Answered,
    Approved,
    ChampionChanged,
    Decision,
    Fact,
    Outcome,
    Record,
    Request,
    RequestKind,
    ShadowChanged,
)
from domain.loop.episodes import Cause, Episode, cause_of
from domain.loop.evidence import HOUR, Finding, Hours
from domain.loop.feed import Fault
from domain.loop.feed_watch import FeedWatch
from domain.loop.permits import FOLLOW_UP, Permits
from domain.loop.residuals import Sample
from domain.loop.signals import Reading, View
from domain.loop.steps import Step
from domain.loop.trial import PairTrial, Result
from domain.loop.watcher import REMEMBERED_HOURS, MakeDetector, Watcher
from domain.policy import Policy
from domain.sums import CHAMPION

PROMOTED = {
    Result.SHADOW_BETTER: "the challenger has earned its place",
    Result.SHADOW_AHEAD: "the challenger has learnt the same from more trips and is ahead, though not by enough to be sure",
}


class Phase(StrEnum):
    """Where the loop is."""

    NO_CHAMPION = "no_champion"
    WATCHING = "watching"
    HELD = "held"  # an episode that may not ask for its training yet
    TRAINING = "training"
    SHADOWING = "shadowing"
    PROMOTING = "promoting"
    PROBATION = "probation"  # the new champion, watched against the one before


class Loop:
    """See the module. `phase`, `episode` and `watcher` may be read by whoever wants to show them."""

    def __init__(self, policy: Policy, make_detector: MakeDetector, grid: AreaGrid, clock: CityClock) -> None:
        self._policy, self._make_detector, self._grid, self._clock = policy, make_detector, grid, clock
        self.phase = Phase.NO_CHAMPION
        self.episode: Episode | None = None
        self.watcher: Watcher | None = None
        self.feed = FeedWatch(policy.feed, policy.time.step_minutes)
        self.trial: PairTrial | None = None
        self.minute = 0
        self._shadow: int | None = None
        self._episodes = 0
        self._labels = Hours(REMEMBERED_HOURS * 7)  # how many, whichever version predicted them
        self._permits = Permits(policy.retraining)

    # --- what happens -------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> list[Decision]:
        """Take in what became final."""
        if not self.minute and self.watcher is not None:  # who is champion was told before it was known what time it is
            begins = step.minute - self._policy.time.step_minutes
            self.watcher.restart(begins, f"version {self.watcher.version} is new")
        self.minute = step.minute
        self._count_labels(step)
        if self.watcher is None:
            return []
        decisions: list[Decision] = [*self._watch_feed(step, self.watcher)]
        if self.feed.fault is None:
            decisions += self.watcher.step(step)
        return [*decisions, *self._act(step, self.watcher)]

    def learn(self, fact: Fact) -> list[Decision]:
        """Take in what came of a request, or what somebody has changed."""
        match fact:
            case ChampionChanged():
                return self._champion_changed(fact)
            case ShadowChanged():
                return self._shadow_changed(fact)
            case Answered():
                return self._answered(fact)
            case Approved():
                self._permits.approve(fact.subject)
                return []

    def readings(self, step: Step) -> list[Reading]:
        """What is seen of each signal, right after `step` was taken in. Changes nothing."""
        if self.watcher is None:
            return []
        episode = self.episode if self.phase is not Phase.PROBATION else None
        view = View(self._policy, self.watcher, self.feed, episode, self._permits.cooling_until)
        return list(view.readings(step))

    def _act(self, step: Step, watcher: Watcher) -> list[Decision]:
        match self.phase:
            case Phase.WATCHING:
                return self._confirm(watcher.findings(step), watcher) or self._follow_up(step)
            case Phase.HELD if self.feed.fault is not None:
                return self._blame_feed(self.feed.fault)
            case Phase.HELD if step.minute % HOUR == 0:
                return self._ask_or_hold()
            case Phase.SHADOWING | Phase.PROBATION if self.trial:
                return self._judge_trial(self.trial, self.trial.add(step))
            case _:
                return []

    def _count_labels(self, step: Step) -> None:
        settled = int(step.mature.settled[step.mature.role == CHAMPION].sum())
        if settled:
            self._labels.add(step.cohort, Sample(settled))

    # --- the feed -----------------------------------------------------------------------------------------------------

    def _watch_feed(self, step: Step, watcher: Watcher) -> list[Record]:
        if watcher.baseline is None:
            return []
        records = self.feed.step(step, watcher.baseline)
        for record in records:
            if record.kind == "feed.healed":  # what began before is judged by nobody
                watcher.restart(blind_before=step.minute)
        return records

    # --- episodes -----------------------------------------------------------------------------------------------------

    def _confirm(self, findings: Sequence[Finding], watcher: Watcher) -> list[Decision]:
        findings = [each for each in findings if self._permits.may_confirm(each.shift, self.minute)]
        if not findings or self.feed.fault is not None or watcher.suspicion is None:
            return []
        cause = cause_of(findings, watcher.suspicion.alarms, watcher)
        changed = watcher.hours[findings[0].segment].change()
        episode = self._new_episode(cause, changed)
        details = {**cause.numbers, "alarms": list(cause.alarms), "changed": changed, "version": watcher.version}
        confirmed = Record("drift.confirmed", episode.subject, cause.reason, self.minute, details)
        return [confirmed, *self._ask_or_hold()]

    def _new_episode(self, cause: Cause, changed: int | None) -> Episode:
        self._episodes += 1
        self.episode = Episode(self._episodes, cause, changed, self.minute)
        return self.episode

    def _follow_up(self, step: Step) -> list[Decision]:
        """A training that no alarm asks for: after a change that left little to learn from, or by the schedule."""
        if step.minute % HOUR or self.feed.fault is not None:
            return []
        due = self._permits.follow_up(self.minute, self._labels.labels_since)
        if due is None:
            return []
        cause = Cause(due.kind, due.reason)
        self._new_episode(cause, due.changed)
        return self._ask_or_hold()

    def _ask_or_hold(self) -> list[Decision]:
        episode = self.episode
        if episode is None:
            return []
        labels = self._labels.labels_since(episode.changed) if episode.changed is not None else None
        obstacle = self._permits.obstacle(episode, self.minute, labels)
        if obstacle is None:
            return [self._ask(episode, labels)]
        known, episode.held, self.phase = episode.held, obstacle, Phase.HELD
        if known == obstacle:
            return []
        return [Record("retraining.held", episode.subject, obstacle, self.minute)]

    def _ask(self, episode: Episode, labels: int | None) -> Request:
        self.phase = Phase.TRAINING
        self._permits.asked(episode, self.minute, labels)
        body: dict[str, object] = {"as_of": self.minute, "since_break": episode.changed, "cause": episode.cause.kind}
        body["exclude"] = [[since, until if until is not None else self.minute] for since, until in self.feed.faulty]
        return Request(RequestKind.RETRAINING, episode.subject, episode.cause.reason, self.minute, body)

    def _blame_feed(self, fault: Fault) -> list[Decision]:
        """What was confirmed just before the fault was found is most likely its doing; if not, it is found again."""
        subject = self.episode.subject if self.episode else "episode 0"
        self._close()
        return [Record("drift.dismissed", subject, f"the feed is at fault: {fault.reason}", self.minute, dict(fault.numbers))]

    def _close(self, unresolved: str | None = None) -> None:
        """`unresolved`: why the shift, if there is one, is still there."""
        self.phase, self.episode, self.trial = Phase.WATCHING, None, None
        if self.watcher:
            since = self.minute if unresolved else 0
            self.watcher.restart(since - self._policy.time.maturity_minutes if since else 0, unresolved)

    # --- comparisons --------------------------------------------------------------------------------------------------

    def _judge_trial(self, trial: PairTrial, result: Result) -> list[Decision]:
        if result is Result.OPEN or self.episode is None:
            return []
        subject, words, numbers = self.episode.subject, trial.words(), trial.numbers()
        if self.phase is Phase.SHADOWING:
            if result in PROMOTED:
                self.phase = Phase.PROMOTING
                return [self._request(RequestKind.PROMOTION, f"{PROMOTED[result]}: {words}", numbers)]
            verdict = "worse" if result is Result.SHADOW_WORSE else "not shown to be better in time"
            dismissal = self._request(RequestKind.DISMISSAL, f"the challenger is {verdict}: {words}", numbers)
            self._close(f"the challenger of {subject} was dismissed")
            return [dismissal]
        if result is Result.SHADOW_BETTER:
            request = self._request(RequestKind.ROLLBACK, f"the new champion is worse than the one before: {words}", numbers)
            self.trial = None  # until the champion changes
            return [request]
        passed = Record("watch.passed", subject, f"the new champion stays: {words}", self.minute, numbers)
        dismissal = self._request(RequestKind.DISMISSAL, "the watch is over", numbers)
        self._close()
        return [passed, dismissal]

    def _request(self, kind: RequestKind, reason: str, numbers: dict[str, object]) -> Request:
        subject = self.episode.subject if self.episode else "episode 0"
        body = {"version": numbers.get("shadow"), "champion": numbers.get("champion"), "numbers": numbers}
        return Request(kind, subject, reason, self.minute, body)

    # --- facts --------------------------------------------------------------------------------------------------------

    def _champion_changed(self, fact: ChampionChanged) -> list[Decision]:
        if self.watcher is not None and self.watcher.version == fact.version:
            return []
        before = self.watcher.version if self.watcher else None
        earned = self.phase is Phase.PROMOTING and self.trial is not None and fact.version == self.trial.shadow
        context = self._policy, self._make_detector, self._grid, self._clock
        self.watcher = Watcher(*context, version=fact.version, baseline=fact.baseline)
        self.watcher.restart(self.minute, f"version {fact.version} is new")
        if earned and before is not None and self.episode is not None:
            self._permits.promoted(self.episode)
            self.phase = Phase.PROBATION
            self.trial = PairTrial(fact.version, before, self.minute, self._policy.watch)
            return []
        self.phase, self.episode, self.trial = Phase.WATCHING, None, None
        return []

    def _shadow_changed(self, fact: ShadowChanged) -> list[Decision]:
        before, self._shadow = self._shadow, fact.version
        champion = self.watcher.version if self.watcher else None
        if self.phase is Phase.SHADOWING and self.trial and fact.version != self.trial.shadow and before == self.trial.shadow:
            words = f"version {self.trial.shadow} was withdrawn before the comparison was over"
            subject = self.episode.subject if self.episode else f"version {self.trial.shadow}"
            self._close()
            return [Record("challenger.withdrawn", subject, words, self.minute)]
        if self.phase is Phase.WATCHING and fact.version is not None and champion is not None and fact.version != champion:
            episode = self._new_episode(Cause("by_hand", f"somebody made version {fact.version} challenger"), None)
            return self._compare(episode, fact.version)
        return []

    def _answered(self, fact: Answered) -> list[Decision]:
        if self.episode is None or fact.subject != self.episode.subject:
            return []
        if fact.kind is RequestKind.RETRAINING and self.phase is Phase.TRAINING:
            if fact.outcome is Outcome.REGISTERED and fact.version is not None:
                return self._compare(self.episode, fact.version)
            self._close(f"the training of {fact.subject} came to nothing")
        elif fact.kind in (RequestKind.PROMOTION, RequestKind.ROLLBACK) and fact.outcome is not Outcome.DONE:
            self._close(f"the {fact.kind} of {fact.subject} failed")
        return []

    def _compare(self, episode: Episode, version: int) -> list[Decision]:
        if self.watcher is None:
            return []
        self.phase = Phase.SHADOWING
        limits = self._policy.follow_up_shadow if episode.cause.kind == FOLLOW_UP else self._policy.shadow
        self.trial = PairTrial(self.watcher.version, version, self.minute, limits)
        words = f"version {version} now predicts the same trips as version {self.watcher.version}, unseen"
        return [Record("challenger.shadowing", episode.subject, words, self.minute, {"version": version})]


NewLoop = Callable[[], Loop]
