"""Watches one champion: feeds detectors, opens a suspicion at an alarm, and finds it confirmed or not by what comes after."""

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.areas import AreaGrid
from domain.baselines import Baseline
from domain.features import CityClock
from domain.loop.completion_ratio import CompletionRatio
from domain.loop.decisions import Record
from domain.loop.evidence import HOUR, Evidence, Finding, Hours
from domain.loop.feed import DayMix, Intake
from domain.loop.predictions import mean_log_prediction
from domain.loop.residuals import CITY, Block, Residuals, Sample
from domain.loop.steps import Step
from domain.loop.words import share_change
from domain.policy import DetectorSettings, Policy, Signal
from domain.ports import Detector

MakeDetector = Callable[[DetectorSettings], Detector]

REMEMBERED_HOURS = 24 * 28  # how far back a change may have begun
PREDICTION_HOURS = 24
RATIO_DELAY_MINUTES = 30  # a completion ratio tells of trips that began about so long ago
BY_LABELS = (Signal.LOG_RATIO, Signal.COMPLETION_RATIO)  # what may open a suspicion: the error itself, or its forerunner


@dataclass(slots=True)
class Suspicion:
    """Opened by an alarm at `minute`, or for want of one; the reasons so far, each with the segments that gave it."""

    minute: int
    evidence: Evidence
    alarms: dict[str, set[int]] = field(default_factory=dict)
    silent: bool = False  # no alarm has opened it: nobody needs to hear that nothing came of it


@dataclass(frozen=True, slots=True)
class Series:
    """The detectors of one signal of one segment, and the block that their next value comes from."""

    detectors: list[tuple[DetectorSettings, Detector]]
    block: Block

    def add(self, sample: Sample) -> list[tuple[DetectorSettings, float]]:
        """The alarms that this sample raises, with the value that raised them."""
        value = self.block.add(sample)
        return [] if value is None else self.feed(value)

    def feed(self, value: float) -> list[tuple[DetectorSettings, float]]:
        """The same for a value that is one already."""
        return [(settings, value) for settings, detector in self.detectors if detector.update(value)]


class Watcher:
    """See the module. Everything it knows follows from the steps that it was fed."""

    def __init__(
        self,
        policy: Policy,
        make_detector: MakeDetector,
        grid: AreaGrid,
        clock: CityClock,
        *,
        version: int,
        baseline: Baseline | None,
    ) -> None:
        self._policy, self._make_detector, self._grid, self._clock = policy, make_detector, grid, clock
        self.version, self.baseline = version, baseline
        self.residuals = Residuals(version, baseline, clock)
        self.hours: dict[int, Hours] = {}
        self.predictions = Hours(PREDICTION_HOURS)
        self.seen: dict[Signal, Sample] = {}  # of the last step: for whoever shows it
        self.suspicion: Suspicion | None = None
        self._blind_before = 0
        self.areas = _watched_areas(policy, baseline)
        self.restart()

    def restart(self, blind_before: int = 0, suspect: str | None = None) -> None:
        """Forget alarms and suspicion; cohorts that began before that minute count for nothing.

        `suspect`: begin with a suspicion, for this reason. Detectors see changes: a shift that is there from the start, or
        that a training has not removed, is none to them.
        """
        self._blind_before = max(blind_before, self._blind_before)
        self.suspicion = None
        self.alarmed: dict[Signal, int] = {}  # when each alarmed last
        if suspect is not None:
            evidence = Evidence(self._blind_before, self._policy.time.step_minutes)
            self.suspicion = Suspicion(self._blind_before, evidence, {suspect: set()}, silent=True)
        self._series = {(signal, CITY): self._new(signal) for signal in Signal}
        for area in self.areas:
            self._series[Signal.LOG_RATIO, area] = self._new(Signal.LOG_RATIO, areas_only=True)
        timing = self._policy.time
        self._ratio = CompletionRatio(self.baseline, timing.step_minutes) if self.baseline else None
        self._mix = DayMix(self.baseline, self._clock) if self.baseline else None

    def step(self, step: Step) -> list[Record]:
        """Take a step in; the alarms that it raised, and a suspicion that came to nothing."""
        samples = self.residuals.of(step) if step.cohort >= self._blind_before else {}
        self.seen = {Signal.LOG_RATIO: samples[CITY]} if CITY in samples else {}
        for segment, sample in samples.items():
            self.hours.setdefault(segment, Hours(REMEMBERED_HOURS)).add(step.cohort, sample)
        if self.suspicion:
            self.suspicion.evidence.add(step.cohort, samples)
        records = [*self._label_alarms(step, samples), *self._ratio_alarms(step), *self._input_alarms(step)]
        return [*records, *self._given_up(step)]

    def findings(self, step: Step) -> list[Finding]:
        """What is confirmed by now; looked at once an hour."""
        if self.suspicion is None or step.minute % HOUR:
            return []
        policy = self._policy
        watched = {CITY, *self.areas}
        return self.suspicion.evidence.judge(policy.confirmation, policy.suspicion, watched)

    def nearest_detector(self, signal: Signal) -> tuple[float, float] | None:
        """Of the city's detectors that compare a number with a threshold: both, of the one that is nearest to an alarm."""
        found = [(detector.statistic, settings.threshold) for settings, detector in self._series[signal, CITY].detectors]
        told = [(statistic, threshold) for statistic, threshold in found if statistic is not None]
        return max(told, key=lambda pair: pair[0] / pair[1], default=None)

    def segment_name(self, segment: int) -> str:
        """In words."""
        return "the whole city" if segment == CITY else f"the area around {self._grid.name(segment)}"

    def _new(self, signal: Signal, *, areas_only: bool = False) -> Series:
        wanted = [each for each in self._policy.detectors if each.signal is signal and (each.areas or not areas_only)]
        blocks = self._policy.blocks
        least = blocks.labels if signal is Signal.LOG_RATIO else blocks.inputs
        return Series([(settings, self._make_detector(settings)) for settings in wanted], Block(least))

    def _label_alarms(self, step: Step, samples: dict[int, Sample]) -> list[Record]:
        records = []
        for segment, sample in samples.items():
            if (Signal.LOG_RATIO, segment) in self._series:
                alarms = self._series[Signal.LOG_RATIO, segment].add(sample)
                records += [self._alarm(step, segment, *alarm) for alarm in alarms]
        return records

    def _ratio_alarms(self, step: Step) -> list[Record]:
        value = self._ratio.add(step) if self._ratio else None
        if value is not None and self._ratio:
            self.seen[Signal.COMPLETION_RATIO] = _of_mean(self._ratio.size, value)
        if value is None or step.minute < self._blind_before + self._policy.time.maturity_minutes:
            return []
        return [self._alarm(step, CITY, *alarm) for alarm in self._series[Signal.COMPLETION_RATIO, CITY].feed(value)]

    def _input_alarms(self, step: Step) -> list[Record]:
        records = []
        samples = self.input_samples(step)
        self.seen |= samples
        if Signal.PREDICTION in samples:
            self.predictions.add(step.minute - self._policy.time.step_minutes, samples[Signal.PREDICTION])
        for signal, sample in samples.items():
            records += [self._alarm(step, CITY, *alarm) for alarm in self._series[signal, CITY].add(sample)]
        for signal, index in (self._mix.add(step) if self._mix else {}).items():
            self.seen[signal] = _of_mean(self._mix.size if self._mix else 0, index)
            records += [self._alarm(step, CITY, *alarm) for alarm in self._series[signal, CITY].feed(index)]
        return records

    def input_samples(self, step: Step) -> dict[Signal, Sample]:
        """Of each trip: its length, whether it states no passengers or was refused, its prediction; less the normal."""
        intake, normal = Intake.of(step), self.baseline
        if normal is None or not intake.events:
            return {}
        usual = normal.no_passengers_share
        samples = {Signal.REFUSED_SHARE: Sample(intake.events, float(intake.refused))}
        if intake.trips:
            samples[Signal.TRIP_LENGTH] = Sample(intake.trips, intake.log_km - intake.trips * normal.log_km)
            samples[Signal.MISSING_SHARE] = Sample(intake.trips, intake.no_passengers - intake.trips * usual)
            samples[Signal.PREDICTION] = Sample(intake.trips, intake.trips * mean_log_prediction(step))
        return samples

    def _alarm(self, step: Step, segment: int, settings: DetectorSettings, value: float) -> Record:
        where = self.segment_name(segment)
        self.alarmed[settings.signal] = step.minute
        detector = f"{settings.method.replace('_', '-')} on {settings.signal.replace('_', ' ')}"
        if settings.signal in BY_LABELS:
            self._suspect(step, settings.signal, detector, segment)
        details: dict[str, object] = {"segment": segment, "value": round(value, 4), "version": self.version}
        details |= {"signal": str(settings.signal), "method": str(settings.method)}
        shown = share_change(value) if settings.signal is Signal.LOG_RATIO else f"{value:+.3f}"
        return Record("drift.alarm", f"{settings.signal} in {where}", f"{detector} in {where}: {shown}", step.minute, details)

    def _suspect(self, step: Step, signal: Signal, detector: str, segment: int) -> None:
        if self.suspicion is None:
            length = self._policy.time.step_minutes
            since = step.cohort + length if signal is Signal.LOG_RATIO else step.minute - RATIO_DELAY_MINUTES
            self.suspicion = Suspicion(step.minute, Evidence(since, length))
        self.suspicion.alarms.setdefault(detector, set()).add(segment)
        self.suspicion.silent = False

    def _given_up(self, step: Step) -> list[Record]:
        suspicion, limits = self.suspicion, self._policy.suspicion
        if suspicion is None:
            return []
        hours, labels = (step.minute - suspicion.minute) / HOUR, suspicion.evidence.labels
        if hours <= limits.most_hours:
            return []
        trail = suspicion.evidence.trails.get(CITY)
        shift = trail.since(0).mean if trail else 0.0
        reason = f"{labels:,} labels in {hours:.0f} h after the alarm show no lasting shift ({share_change(shift)})"
        silent = suspicion.silent
        self.restart()
        return (
            []
            if silent
            else [Record("drift.dismissed", "suspicion", reason, step.minute, {"labels": labels, "shift": round(shift, 4)})]
        )


def _of_mean(size: int, mean: float) -> Sample:
    return Sample(size, size * mean)


def _watched_areas(policy: Policy, baseline: Baseline | None) -> list[int]:
    if baseline is None:
        return []
    large = [area for area, share in baseline.area_share.items() if share >= policy.shares.area]
    return sorted(large, key=lambda area: -baseline.area_share[area])[: policy.shares.most_areas]
