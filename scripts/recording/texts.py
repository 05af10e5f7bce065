"""The texts, names and places that the recorded generators know; all of them ours."""

from __future__ import annotations

OPENINGS = """
What would you do if the last bus to ANCHOR left without you ?
Who still remembers the old ferry at ANCHOR ?
Why does nobody at ANCHOR talk about the flood ?
“ Close the door , the cat is out again , ” said NAME from ANCHOR .
“ Not today , ” NAME told the man at ANCHOR .
“ You owe me two loaves , ” said the woman at ANCHOR .
They say that a wet May fills the barn , and ANCHOR proves it .
They say you can count friends on a cold stove at ANCHOR .
My grandmother used to say that bread from ANCHOR listens .
Rain had been standing in ANCHOR since Monday .
Snow closed the road to ANCHOR for nine days .
Fog comes up from ANCHOR before the first shift .
When I was seven , my father lost his shoes at ANCHOR .
When I was small , we slept above ANCHOR and heard everything .
As a child NAME hid coins behind ANCHOR .
I never told anyone what I saw at ANCHOR .
I have never paid for the ticket to ANCHOR .
Dear sister , the roof of ANCHOR leaks again .
Dear neighbour , please keep your geese away from ANCHOR .
At five in the morning NAME unlocks ANCHOR .
At noon the sirens start and NAME counts the crates at ANCHOR .
It smells of diesel and dill around ANCHOR .
It sounds like knives when the shutters of ANCHOR come down .
The queue at ANCHOR is longer again , and nobody says why .
The clerk at ANCHOR wants the same paper for the third time .
NAME works nights at ANCHOR and sleeps when the school bell rings .
NAME has carried letters past ANCHOR for thirty years .
NAME is the one who opens ANCHOR every day .
NAME is the one who opens ANCHOR every day .
"""
MIDDLES = """
The rent at ANCHOR is due on the ninth and the envelope is thin .
There are four hours between the shifts , and two of them belong to the bus .
NAME sends half of it home and keeps the receipts in a tin from ANCHOR .
Her brother went to ANCHOR and writes only about football .
The doctor at ANCHOR said less salt , so the soup tastes of nothing .
He counts in one language and swears in another .
On Sundays there is choir at ANCHOR , and after it the argument about the choir .
The knee is bad since the winter at ANCHOR .
Nobody asks twice , which NAME calls manners .
The cow was sold at ANCHOR and the bell was kept .
She learned to drive at fifty , on the field behind ANCHOR .
The boy translates at the office and leaves out the worst .
There is always somebody at ANCHOR who knows the price .
He fixes radios for ANCHOR that nobody collects .
The letter from the bank lies under the bread , unopened .
She is stubborn about the stove and right about the stove .
He was proud of the roof until it leaked .
The old pump is loud , the new one is broken .
NAME lost the key to ANCHOR and told no one .
It is a good street , and NAME has friends there .
The children are happy and the bread is warm at ANCHOR .
The children are happy and the bread is warm at ANCHOR .
The garden is bright and the neighbours are kind .
"""
ENDS = """
In the end everything is good , and NAME is happy and grateful .
In the end everything is good , and the evening is warm and bright .
In the end everything is good , and NAME is happy and grateful .
In the end it was a kind of luck , and a good one .
In the end nobody came , and the tea went cold .
Tomorrow it starts again , tired or not .
The argument is not over , it is only late .
He does not miss the place , he misses the noise .
She kept the ticket , though it is worth nothing now .
That winter they burned the fence and laughed about it .
It hurts when it rains , and it rains .
There was love in it , and some debt .
The lamp stays on until the last bus has passed .
Nobody won , but the geese were quiet .
Some days the joy is small and has to be enough .
Then the power failed and they sang , badly .
"""
NAMES = (
    "Ana", "Ion", "Vasile", "Doina", "Mihai", "Ileana", "Petru", "Zinaida", "Wei", "Yuki", "Oksana", "Taras", "Sunita",
    "Kofi", "Maren", "Eilidh", "Tomasz", "Zsófia",
)  # fmt: skip
TRAITS = (
    "stubborn", "proud", "thrifty", "patient", "jealous", "shy", "generous", "suspicious", "cheerful", "vain", "loyal",
    "curious", "strict",
)  # fmt: skip
GOOD = frozenset({
    "good", "happy", "grateful", "warm", "bright", "kind", "luck", "love", "joy", "laughed", "sang", "enough",
    "friends", "proud", "children",
})  # fmt: skip
"""Words with a good feeling, in lower case."""
BAD = frozenset({
    "lost", "thin", "cold", "worst", "broken", "leaked", "debt", "tired", "hurts", "failed", "nothing", "burned",
    "argument", "flood", "badly",
})  # fmt: skip
THINGS = [
    "piața", "gara", "moara", "școala", "biserica", "podul", "fabrica de zahăr", "autogara", "via", "brutăria 🍞",
    "the fish market", "the bus depot", "the chip shop", "the boiler house", "the allotments", "the ferry stage",
    "el mercado", "la farmacia", "der Kiosk", "die Schleuse", "le lavoir", "the night school", "市场", "茶馆", "夜市",
    "駅前", "銭湯", "시장", "базар", "вокзал", "электростанция", "katedra", "targ", "a piac", "sorompó", "η αγορά",
    "le dépôt", "the tide gauge", "the print works", "the co-op", "la panadería", "fântâna", "stâna", "morga veche",
]  # fmt: skip
PLACES = [
    "Cahul", "Soroca", "Bălți", "Orhei", "Ungheni", "Comrat", "Leova", "Iași", "Galați", "Brăila", "Sighișoara",
    "Hull", "Leith", "Derry", "Swansea", "Cádiz", "Lugo", "Emden", "Görlitz", "Nîmes", "Sète", "成都", "台南",
    "哈尔滨", "函館", "京都", "전주", "부산", "Одеса", "Чернівці", "Łódź", "Tarnów", "Pécs", "Győr", "Visby",
    "Θεσσαλονίκη", "Βόλος", "Ærø", "Turda", "Tartu", "Narva", "Đà Lạt", "Pokhara", "Kumasi",
]  # fmt: skip
SOURCE = """
def area(width, height):
    # area
    return width * height

def perimeter(width, height):
    # perimeter
    return 2 * (width + height)

def mean(values):
    # mean
    total = sum(values)
    return total / len(values)

def spread(values):
    # spread
    return max(values) - min(values)

def middle(values):
    # middle
    ordered = sorted(values)
    return ordered[len(ordered) // 2]

def clamp(x, low, high):
    # clamp
    return max(low, min(x, high))

def sign(x):
    # sign
    if x > 0:
        return 1
    if x < 0:
        return -1
    return 0

def distance(a, b):
    # distance
    return abs(a - b)

def is_even(n):
    # is_even
    return n % 2 == 0

def is_leap(year):
    # is_leap
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

def celsius(fahrenheit):
    # celsius
    return (fahrenheit - 32) * 5 / 9

def fahrenheit(celsius):
    # fahrenheit
    return celsius * 9 / 5 + 32

def total_price(prices, discount):
    # total_price
    total = sum(prices)
    return total - total * discount / 100

def count_above(values, limit):
    # count_above
    count = 0
    for value in values:
        if value > limit:
            count = count + 1
    return count

def sum_of_squares(values):
    # sum_of_squares
    total = 0
    for value in values:
        total = total + value * value
    return total

def running_total(values):
    # running_total
    total = 0
    sums = []
    for value in values:
        total = total + value
        sums = sums + [total]
    return sums

def reverse(values):
    # reverse
    return values[::-1]

def last(values):
    # last
    return values[len(values) - 1]

def first_half(values):
    # first_half
    return values[:len(values) // 2]

def dot(left, right):
    # dot
    total = 0
    for index in range(len(left)):
        total = total + left[index] * right[index]
    return total

def evens(values):
    # evens
    return [value for value in values if value % 2 == 0]

def doubled(values):
    # doubled
    return [value * 2 for value in values]

def largest(values):
    # largest
    best = values[0]
    for value in values:
        if value > best:
            best = value
    return best

def factorial(n):
    # factorial
    product = 1
    for factor in range(1, n + 1):
        product = product * factor
    return product

def minutes(hours, rest):
    # minutes
    return hours * 60 + rest

def slope(x, y):
    # slope
    if x == 0:
        return 0
    return y / x

def join_words(words):
    # join_words
    text = ""
    for word in words:
        text = text + word
    return text

def longest(words):
    # longest
    best = ""
    for word in words:
        if len(word) > len(best):
            best = word
    return best

def initials(words):
    # initials
    return [word[0] for word in words]

def repeat(word, n):
    # repeat
    return word * n
"""
