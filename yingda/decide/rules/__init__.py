"""Business rules as decision tables: checked when saved, run by the ZEN engine."""

from yingda.decide.rules.crossing import Crossing as Crossing
from yingda.decide.rules.crossing import crossings as crossings
from yingda.decide.rules.findings import Finding as Finding
from yingda.decide.rules.findings import Flaw as Flaw
from yingda.decide.rules.names import KnownNames as KnownNames
from yingda.decide.rules.names import known_names as known_names
from yingda.decide.rules.ruleset import Rule as Rule
from yingda.decide.rules.ruleset import RuleSet as RuleSet
from yingda.decide.rules.ruleset import check_syntax as check_syntax
from yingda.decide.rules.ruleset import combined as combined
from yingda.decide.rules.ruleset import compile_rules as compile_rules
from yingda.decide.rules.ruleset import forget_rules as forget_rules
